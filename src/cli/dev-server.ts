/**
 * The local Redis of `ponos dev`: started on 127.0.0.1, kept across restarts by an append-only file, and only ever
 * touched when it is certain that it is the one started here: the process id and its start time must match what was
 * written down, and before it is stopped the server itself must say that it is that process.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  accessSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type DevServerState,
  devFolder,
  devStateFile,
  findDevServer,
  isRunning,
  processStart,
  readDevState,
} from '../config/dev-state.ts';
import { ConflictError, NotFoundError, RedisLink, RedisUnavailableError, TimeoutError } from '../engine/index.ts';

const PROGRAMS = ['redis-server', 'valkey-server'];
const PREFERRED_PORT = 6390;
const START_LIMIT_MS = 15_000;
const STOP_LIMIT_MS = 15_000;
const ASK_AGAIN_MS = 25;

export interface DevServerOptions {
  /** Folder under which everything is kept. */
  stateFolder: string;
  /** Folders to look for the server program, as in PATH. */
  path: string;
  port?: number | undefined;
}

export interface StartedDevServer extends DevServerState {
  /** False when it ran before. */
  started: boolean;
}

/**
 * Starts the server, or finds it running.
 * @throws NotFoundError when no server program is installed; ConflictError when a given port is taken;
 * RedisUnavailableError when the server does not come up.
 */
export async function startDevServer(options: DevServerOptions): Promise<StartedDevServer> {
  const folder = devFolder(options.stateFolder);
  mkdirSync(join(folder, 'data'), { recursive: true, mode: 0o700 });
  const unlock = lock(join(folder, 'lock'));
  try {
    const running = findDevServer(options.stateFolder);
    if (running) return { ...running, started: false };
    const program = findProgram(options.path);
    const port = await choosePort(options.port, readDevState(options.stateFolder)?.port);
    const child = launch(program, port, folder);
    const pid = await pidOf(child, program);
    const url = `redis://127.0.0.1:${port}`;
    const state = { pid, port, url, processStart: processStart(pid), startedAtMs: Date.now(), program };
    // Before it answers, so that one whose start is interrupted can still be found and stopped.
    writeState(options.stateFolder, state);
    try {
      await untilAnswers(state, child, folder);
    } catch (error) {
      rmSync(devStateFile(options.stateFolder), { force: true });
      throw error;
    }
    return { ...state, started: true };
  } finally {
    unlock();
  }
}

/**
 * Stops the server if it runs. Resolves with its state, or undefined when none ran.
 * @throws ConflictError when what listens there is not the process that was started here.
 */
export async function stopDevServer(stateFolder: string): Promise<DevServerState | undefined> {
  const state = findDevServer(stateFolder);
  if (!state) return undefined;
  await proveIdentity(state);
  process.kill(state.pid, 'SIGTERM');
  const deadline = performance.now() + STOP_LIMIT_MS;
  while (isRunning(state)) {
    if (performance.now() > deadline) throw new TimeoutError(`process ${state.pid} did not end in ${STOP_LIMIT_MS} ms`);
    await pause(ASK_AGAIN_MS);
  }
  return state;
}

/** Removes everything the server kept. Call it only when the server is stopped. */
export function wipeDevServer(stateFolder: string): void {
  rmSync(devFolder(stateFolder), { recursive: true, force: true });
}

function findProgram(path: string): string {
  for (const program of PROGRAMS) {
    for (const folder of path.split(delimiter).filter(Boolean)) {
      const file = join(folder, program);
      try {
        accessSync(file, constants.X_OK);
        if (statSync(file).isFile()) return file;
      } catch {
        // Look on.
      }
    }
  }
  throw new NotFoundError('program', PROGRAMS.join('" or "'), { hint: installHint() });
}

function installHint(): string {
  const elsewhere = 'Or use a Redis elsewhere: --redis redis://HOST:PORT.';
  switch (process.platform) {
    case 'darwin':
      return `Install it: brew install redis. ${elsewhere}`;
    case 'win32':
      return `Redis has no server for Windows: use WSL, or docker run -p 6379:6379 redis. ${elsewhere}`;
    default:
      return `Install it: apt install redis-server, dnf install redis or valkey, apk add redis, pacman -S valkey. ${elsewhere}`;
  }
}

function launch(program: string, port: number, folder: string): ChildProcess {
  const log = openSync(join(folder, 'server.log'), 'a', 0o600);
  return spawn(
    program,
    [
      ...['--port', String(port), '--bind', '127.0.0.1', '--protected-mode', 'yes'],
      ...['--dir', join(folder, 'data'), '--appendonly', 'yes', '--save', ''],
      ...['--maxmemory-policy', 'noeviction', '--daemonize', 'no'],
    ],
    // In a session of its own: it outlives the terminal it was started from.
    { detached: true, stdio: ['ignore', log, log] },
  );
}

async function pidOf(child: ChildProcess, program: string): Promise<number> {
  if (child.pid !== undefined) return child.pid;
  const cause = await new Promise<Error>(resolve => child.once('error', resolve));
  throw new RedisUnavailableError(`${program} cannot be started: ${cause.message}`, { cause, hint: installHint() });
}

async function choosePort(wanted: number | undefined, last: number | undefined): Promise<number> {
  if (wanted !== undefined) {
    if (await isFree(wanted)) return wanted;
    throw new ConflictError(`port ${wanted} is taken by another program`, {
      hint: 'Leave --port out to get a free one.',
    });
  }
  for (const port of [last, PREFERRED_PORT]) if (port !== undefined && (await isFree(port))) return port;
  return (await listenOn(0)) as number;
}

async function isFree(port: number): Promise<boolean> {
  return (await listenOn(port)) !== undefined;
}

/** The port listened on, for a moment; undefined when it is taken. */
function listenOn(port: number): Promise<number | undefined> {
  return new Promise(resolve => {
    const probe = createServer();
    probe.once('error', () => resolve(undefined));
    probe.listen(port, '127.0.0.1', () => {
      const { port: given } = probe.address() as AddressInfo;
      probe.close(() => resolve(given));
    });
  });
}

async function untilAnswers(state: DevServerState, child: ChildProcess, folder: string): Promise<void> {
  let ended: string | undefined;
  child.once('exit', code => {
    ended = `it ended with code ${code}`;
  });
  const deadline = performance.now() + START_LIMIT_MS;
  for (;;) {
    const failed = ended ?? (performance.now() > deadline ? `no answer in ${START_LIMIT_MS} ms` : undefined);
    if (failed !== undefined) {
      child.kill('SIGKILL');
      throw new RedisUnavailableError(`${state.program} did not start: ${failed}`, {
        hint: `Its log: ${join(folder, 'server.log')}; last line: ${lastLine(join(folder, 'server.log'))}`,
      });
    }
    if (await answersAs(state)) break;
    await pause(ASK_AGAIN_MS);
  }
  child.removeAllListeners();
  child.unref();
}

async function proveIdentity(state: DevServerState): Promise<void> {
  if (await answersAs(state)) return;
  // Where the kernel tells when a process started, that is proof enough for one that hangs.
  if (state.processStart !== null) return;
  throw new ConflictError(
    `what answers at ${state.url} is not the Redis that was started here (process ${state.pid})`,
    {
      hint: 'Nothing was stopped.',
    },
  );
}

/** Whether the server at the address says that it is this process. */
async function answersAs(state: DevServerState): Promise<boolean> {
  const link = await RedisLink.connect({ url: state.url, connectAttempts: 1, connectTimeoutMs: 1000 }).catch(
    () => undefined,
  );
  if (!link) return false;
  try {
    const info = String(await link.commands.call('INFO', 'server'));
    return /^process_id:(\d+)/m.exec(info)?.[1] === String(state.pid);
  } catch {
    return false;
  } finally {
    await link.close();
  }
}

function writeState(stateFolder: string, state: DevServerState): void {
  const file = devStateFile(stateFolder);
  writeFileSync(`${file}.new`, `${JSON.stringify(state, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** One start at a time. The lock of a process that has gone is taken over. */
function lock(file: string): () => void {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx', mode: 0o600 });
      return () => rmSync(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      if (isHeld(file)) break;
      rmSync(file, { force: true });
    }
  }
  throw new ConflictError('another "ponos dev up" is under way', { hint: 'Try again in a moment.' });
}

function isHeld(file: string): boolean {
  try {
    process.kill(Number(readFileSync(file, 'utf8')), 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function lastLine(file: string): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').at(-1) ?? '';
  } catch {
    return '';
  }
}
