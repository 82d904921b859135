/**
 * A script is one atomic state transition, a constant from a `.lua` file. The build step reads the header of the file
 * (KEYS, ARGV, REPLY) and generates a `Script` value whose types say what goes in and what may come back.
 * Every reply is an array that starts with a status word.
 */
import { InvariantError } from '../core/errors.ts';

export type Argument = string | number | Uint8Array;

export type FieldKind = 'int' | 'number' | 'bytes' | 'text' | 'list';
export interface ReplyField {
  name: string;
  kind: FieldKind;
  optional: boolean;
}

type Inputs = Record<string, Argument | readonly Argument[]>;

export interface Script<Keys extends Inputs = Inputs, Args extends Inputs = Inputs, Reply = { status: string }> {
  readonly name: string;
  readonly sha1: string;
  readonly source: string;
  readonly keys: readonly { name: keyof Keys & string; variadic: boolean }[];
  readonly args: readonly { name: keyof Args & string; variadic: boolean }[];
  readonly replies: Readonly<Record<string, readonly ReplyField[]>>;
  /** Never set; carries the reply's type. */
  readonly reply?: Reply;
}

/** The operands of EVALSHA after the digest: number of keys, keys, arguments. */
export function scriptOperands<K extends Inputs, A extends Inputs, R>(
  script: Script<K, A, R>,
  keys: K,
  args: A,
): Argument[] {
  const keyList = flattenInputs(script.keys, keys);
  return [keyList.length, ...keyList, ...flattenInputs(script.args, args)];
}

function flattenInputs<I extends Inputs>(names: readonly { name: keyof I & string }[], inputs: I): Argument[] {
  const flat: Argument[] = [];
  for (const { name } of names) {
    const value = inputs[name] as Argument | readonly Argument[];
    if (Array.isArray(value)) for (const item of value) flat.push(item);
    else flat.push(value as Argument);
  }
  return flat;
}

/** @throws InvariantError when the reply is not one the script's header declares. */
export function decodeReply<K extends Inputs, A extends Inputs, R>(script: Script<K, A, R>, raw: unknown): R {
  if (!Array.isArray(raw) || raw.length === 0) throw new InvariantError(`script ${script.name}: reply is no array`);
  const status = String(raw[0]);
  const fields = script.replies[status];
  if (!fields) throw new InvariantError(`script ${script.name}: undeclared status ${status}`);
  const reply: Record<string, unknown> = { status };
  fields.forEach((field, index) => {
    const value: unknown = raw[index + 1];
    if (value === null || value === undefined) {
      if (!field.optional) throw new InvariantError(`script ${script.name}: ${status} lacks ${field.name}`);
      reply[field.name] = null;
    } else reply[field.name] = decodeField(field.kind, value);
  });
  return reply as R;
}

function decodeField(kind: FieldKind, value: unknown): unknown {
  switch (kind) {
    case 'int':
    case 'number':
      return typeof value === 'number' ? value : Number(String(value));
    case 'text':
      return String(value);
    case 'bytes':
    case 'list':
      return value;
  }
}
