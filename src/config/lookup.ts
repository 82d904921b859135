/**
 * Finds a setting: a flag wins over the environment, and within it the first name that is set. An empty variable counts
 * as not set, because that is how shells and CI files switch one off.
 */
import { OptionError } from '../engine/index.ts';
import { describeOrigin, type Sourced } from './origin.ts';
import type { Environment } from './paths.ts';

export interface SettingName {
  flag?: string;
  env?: readonly string[];
}

export interface Sources {
  /** Flags by name, as given on the command line; none of them has a default. */
  flags: Readonly<Record<string, unknown>>;
  env: Environment;
}

export function lookUp(name: SettingName, sources: Sources): Sourced<string> | undefined {
  const flag = name.flag === undefined ? undefined : sources.flags[name.flag];
  if (flag !== undefined) return { value: String(flag), origin: { kind: 'flag', name: name.flag as string } };
  for (const variable of name.env ?? []) {
    const value = sources.env[variable];
    if (value) return { value, origin: { kind: 'env', name: variable } };
  }
  return undefined;
}

const TRUE = ['1', 'true', 'yes', 'on'];
const FALSE = ['0', 'false', 'no', 'off'];

/** @throws OptionError when a variable is set to something that is neither yes nor no. */
export function lookUpFlag(name: SettingName, sources: Sources): Sourced<boolean> | undefined {
  const found = lookUp(name, sources);
  if (!found) return undefined;
  const word = found.value.toLowerCase();
  if (!TRUE.includes(word) && !FALSE.includes(word)) {
    throw new OptionError(`${describeOrigin(found.origin)} is neither yes nor no`, { hint: 'Use 1 or 0.' });
  }
  return { value: TRUE.includes(word), origin: found.origin };
}

/** Parses what was found; an error says which setting is wrong, and never its value. */
export function parsed<T>(found: Sourced<string>, parse: (text: string) => T): Sourced<T> {
  try {
    return { value: parse(found.value), origin: found.origin };
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    throw new OptionError(`${describeOrigin(found.origin)}: ${error.message}`, {
      hint: error.hint ?? '',
      cause: error,
    });
  }
}
