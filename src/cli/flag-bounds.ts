/** Options of the engine come from flags: an error about one speaks of the flag, in the units people type. */
import { type OptionBounds, OptionError } from '../engine/index.ts';
import { formatBytes, formatDuration } from '../present/human.ts';

/** Flags that are not named as their option. */
const OTHER_NAMES: Readonly<Record<string, string>> = { 'dispatch.retentionMs': 'keep' };

/** `error` as whoever typed `flags` understands it. */
export function inFlags(error: unknown, flags: Readonly<Record<string, unknown>>): unknown {
  if (!(error instanceof OptionError) || !error.bounds) return error;
  const { bounds } = error;
  const flag = namesOf(bounds).find(name => flags[name] !== undefined);
  if (flag === undefined) return error;
  const { given, min, max } = bounds;
  const [value, from, to] = [given, min, max].map(number => formatBound(number, bounds.kind));
  return new OptionError(`--${flag} is ${value}, allowed: from ${from} to ${to}`, { bounds, cause: error });
}

function namesOf({ owner, name }: OptionBounds): string[] {
  const plain = kebab(name);
  const short = kebab(name.replace(/(Ms|Bytes)$/, ''));
  const own = OTHER_NAMES[`${owner}.${name}`];
  return [...(own ? [own] : []), `${owner}-${short}`, plain, short];
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`);
}

function formatBound(value: number, kind: OptionBounds['kind']): string {
  if (kind === 'ms') return formatDuration(value);
  return kind === 'bytes' ? formatBytes(value) : String(value);
}
