/** Where Ponos keeps files: the XDG base directories, with their defaults. */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Logs and the data of the local Redis: kept, not shared between machines. */
export function stateFolder(env: Environment): string {
  return join(base(env.XDG_STATE_HOME, env, '.local', 'state'), 'ponos');
}

/** The specification says that a relative path is to be ignored. */
function base(given: string | undefined, env: Environment, ...fallback: string[]): string {
  return given && isAbsolute(given) ? given : join(env.HOME || homedir(), ...fallback);
}
