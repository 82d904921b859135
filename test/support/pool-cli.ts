/** Short forms of the worker, job and pool commands for their tests. Workers that are started end with the test. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CliOptions, type CliResult, ponos, ponosJson, type RunningCli, startPonos } from './cli.ts';
import type { RedisFixture } from './fixture.ts';

export interface StartedWorker {
  running: RunningCli;
  id: string;
}

/** `url`: where the Redis is, unless it is the fixture's. */
export function poolCli(redis: RedisFixture, url: () => string = () => redis.server.url) {
  const options = (more: CliOptions = {}): CliOptions => ({
    ...more,
    env: { PONOS_REDIS_URL: url(), PONOS_PREFIX: redis.prefix, ...more.env },
  });
  const start = (args: string[], more: CliOptions = {}): RunningCli => {
    const running = startPonos(args, options(more));
    redis.defer(async () => {
      running.process.kill('SIGKILL');
      await running.result.catch(() => undefined);
    });
    return running;
  };
  return {
    options,
    start,
    run: (args: string[], more: CliOptions = {}): Promise<CliResult> => ponos(args, options(more)),
    json: <T>(args: string[]): Promise<T> => ponosJson<T>(args, options()),
    /** `worker start ...args`, resolved when it is ready. */
    async worker(args: string[], more: CliOptions = {}): Promise<StartedWorker> {
      const running = start(['worker', 'start', ...args], more);
      await running.says(/ready: pool/);
      return { running, id: /worker (\S+) ready/.exec(running.stderr)?.[1] ?? '' };
    },
    /** A folder that goes away with the test, with a file in it. */
    file(name: string, text: string, mode = 0o755): string {
      const folder = mkdtempSync(join(tmpdir(), 'ponos-e2e-'));
      redis.defer(() => rmSync(folder, { recursive: true, force: true }));
      const path = join(folder, name);
      writeFileSync(path, text, { mode });
      return path;
    },
  };
}

/** A task: gives back its payload in capitals; what the payload says decides what else it does. */
export const TASK_HANDLER = `
export async function run(job: { key: string; payload: Buffer }, signal: AbortSignal): Promise<string> {
  const text: string = job.payload.toString();
  if (text === 'fail') throw new Error('as asked');
  if (text === 'float') {
    void Promise.reject(new Error('floating'));
    setTimeout(() => {
      throw new Error('thrown in a timer');
    }, 1);
  }
  if (text === 'hold') await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  return text.toUpperCase();
}
`;

/** A service that notes what it is told in its output. */
export const SERVICE_HANDLER = `
export function start(job) {
  console.log('start', job.key, job.payload.toString());
}
export function stop(job, reason) {
  console.log('stop', job.key, reason);
}
export function notify(job, payload) {
  console.log('notify', job.key, payload.toString());
}
`;

/** False when there is no such process, or only what is left of one until somebody reaps it. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    const stat = existsSync('/proc') ? readFileSync(`/proc/${pid}/stat`, 'utf8') : '';
    return !/\) Z /.test(stat);
  } catch {
    return false;
  }
}
