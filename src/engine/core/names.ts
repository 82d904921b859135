import { type Bytes, byteLength } from './bytes.ts';
import { ArgumentError, TooLargeError } from './errors.ts';

const NAME = /^[A-Za-z0-9._-]{1,64}$/;

/** What a name names, as error messages say it. */
export type NamedKind =
  | 'consumer'
  | 'group'
  | 'map'
  | 'pool'
  | 'schedule'
  | 'sink'
  | 'stream'
  | 'worker'
  | 'key prefix';

/**
 * Names of things stand inside key names and in front of user bytes, so they are plain.
 * @throws ArgumentError unless `name` is 1 to 64 of letters, digits, dot, underscore, hyphen.
 */
export function checkName(kind: NamedKind, name: string): string {
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw new ArgumentError(`${kind} name ${JSON.stringify(name)} is not allowed`, {
      hint: 'A name has 1 to 64 letters, digits, dots, underscores or hyphens.',
    });
  }
  return name;
}

export function isName(name: string): boolean {
  return NAME.test(name);
}

/** @throws TooLargeError when `bytes` is longer than `limitBytes`. */
export function checkSize(what: 'KEY' | 'VALUE' | 'PAYLOAD' | 'NAME', bytes: Bytes, limitBytes: number): void {
  const sizeBytes = byteLength(bytes);
  if (sizeBytes > limitBytes) throw new TooLargeError(what, sizeBytes, limitBytes);
}
