/**
 * What `ponos dev up` wrote down about the Redis it started. A process id alone may have been given to another program
 * since, so the file also holds the time the process started; both must match.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface DevServerState {
  pid: number;
  port: number;
  url: string;
  /** As the kernel tells it, in a form only to be compared; null where it cannot be known. */
  processStart: string | null;
  startedAtMs: number;
  program: string;
}

export function devFolder(stateFolder: string): string {
  return join(stateFolder, 'dev');
}

export function devStateFile(stateFolder: string): string {
  return join(devFolder(stateFolder), 'server.json');
}

/** The state as written, whether the process lives or not; undefined when there is none that can be read. */
export function readDevState(stateFolder: string): DevServerState | undefined {
  try {
    const state = JSON.parse(readFileSync(devStateFile(stateFolder), 'utf8')) as Partial<DevServerState>;
    const valid =
      Number.isInteger(state.pid) &&
      (state.pid as number) > 0 &&
      Number.isInteger(state.port) &&
      typeof state.url === 'string';
    return valid ? (state as DevServerState) : undefined;
  } catch {
    return undefined;
  }
}

/** The state of a server that runs. */
export function findDevServer(stateFolder: string): DevServerState | undefined {
  const state = readDevState(stateFolder);
  return state && isRunning(state) ? state : undefined;
}

export function isRunning(state: DevServerState): boolean {
  return isAlive(state.pid) && (state.processStart === null || processStart(state.pid) === state.processStart);
}

/** When the process started, or null when this system does not tell it cheaply. */
export function processStart(pid: number): string | null {
  if (process.platform !== 'linux') return null;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in parentheses and may hold anything; the 22nd is the start.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended.
    return fields[0] === 'Z' ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
