/**
 * One table per constructor says name, kind, default, bounds and documentation of each option once.
 * The input type, the check, the command-line flag and the reference page are derived from it.
 */
import { OptionError } from './errors.ts';

interface BaseOption {
  doc: string;
}
export interface NumberOption extends BaseOption {
  /** `ms` durations, `bytes` sizes, `count` whole numbers, `ratio` any number. */
  kind: 'ms' | 'bytes' | 'count' | 'ratio';
  default: number;
  min: number;
  max: number;
}
export interface FlagOption extends BaseOption {
  kind: 'flag';
  default: boolean;
}
export interface ChoiceOption<Choice extends string = string> extends BaseOption {
  kind: 'choice';
  default: Choice;
  choices: readonly Choice[];
}
export type Option = NumberOption | FlagOption | ChoiceOption;
export type OptionTable = Readonly<Record<string, Option>>;

type Value<O extends Option> = O extends NumberOption
  ? number
  : O extends FlagOption
    ? boolean
    : O extends { choices: readonly (infer Choice)[] }
      ? Choice
      : never;

/** What a caller passes: every option may be left out. */
export type OptionInput<Table extends OptionTable> = {
  readonly [Name in keyof Table]?: Value<Table[Name]> | undefined;
};
/** What the engine uses: every option has its value. */
export type OptionValues<Table extends OptionTable> = { readonly [Name in keyof Table]: Value<Table[Name]> };

/**
 * Checks `input` against `table` and fills in defaults.
 * @throws OptionError on an unknown name, another type, or a value out of bounds; it names the bound.
 */
export function resolveOptions<Table extends OptionTable>(
  owner: string,
  table: Table,
  input: OptionInput<Table> = {},
): OptionValues<Table> {
  const values: Record<string, unknown> = { ...defaultsOf(table) };
  for (const [name, given] of Object.entries(input)) {
    const option = Object.hasOwn(table, name) ? table[name] : undefined;
    if (!option) {
      throw new OptionError(`${owner}: unknown option "${name}"`, { hint: `Known: ${Object.keys(table).join(', ')}.` });
    }
    if (given === undefined) continue;
    checkOption(owner, name, option, given);
    values[name] = given;
  }
  return values as OptionValues<Table>;
}

const defaults = new WeakMap<OptionTable, Readonly<Record<string, unknown>>>();

/** Options are resolved with each dispatch and each publish: the table is walked once. */
function defaultsOf(table: OptionTable): Readonly<Record<string, unknown>> {
  let known = defaults.get(table);
  if (!known) {
    known = Object.fromEntries(Object.entries(table).map(([name, option]) => [name, option.default]));
    defaults.set(table, known);
  }
  return known;
}

function checkOption(owner: string, name: string, option: Option, given: unknown): void {
  if (option.kind === 'flag') {
    if (typeof given !== 'boolean') throw new OptionError(`${owner}: option "${name}" must be true or false`);
  } else if (option.kind === 'choice') {
    if (!option.choices.includes(given as string)) {
      throw new OptionError(`${owner}: option "${name}" is "${String(given)}", allowed: ${option.choices.join(', ')}`);
    }
  } else {
    const whole = option.kind === 'count' || option.kind === 'bytes';
    const valid = typeof given === 'number' && Number.isFinite(given) && (!whole || Number.isInteger(given));
    if (!valid || given < option.min || given > option.max) {
      const bounds = `${whole ? 'a whole number' : 'a number'} from ${option.min} to ${option.max}`;
      const { kind, min, max } = option;
      throw new OptionError(`${owner}: option "${name}" is ${String(given)}, allowed: ${bounds}`, {
        ...(typeof given === 'number' ? { bounds: { owner, name, kind, given, min, max } } : {}),
      });
    }
  }
}
