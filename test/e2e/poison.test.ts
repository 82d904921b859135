import { describe, expect, it } from 'vitest';
import { useRedis } from '../support/fixture.ts';
import { poolCli } from '../support/pool-cli.ts';

/** Its payload ends the whole process, as a fault in native code or the kernel's killer would. */
const KILLER = "process.kill(process.pid, 'SIGKILL')";
const HANDLERS = {
  task: `export async function run(job) { if (String(job.payload) === 'poison') ${KILLER}; return 'done'; }`,
  service: `export function start(job) { if (String(job.payload) === 'poison') ${KILLER}; }`,
};
const ATTEMPTS = 2;

interface Shown {
  item: { state: string; attempt: number; error: string | null };
}

describe('a payload that crashes its worker', () => {
  const redis = useRedis();
  const { run, json, worker, file } = poolCli(redis);

  /** Starts a worker whenever there is none, until the job is dead. Resolves with the number of workers it took. */
  async function feed(kind: keyof typeof HANDLERS): Promise<number> {
    const handler = file(`${kind}.js`, HANDLERS[kind]);
    for (let crashes = 0; ; crashes++) {
      const { running } = await worker([handler, '--pool', kind, '--lease', 'fast']);
      // Not before a worker is ready: it would end before it could say so.
      if (crashes === 0)
        await run(['job', 'dispatch', 'bad', 'poison', '--pool', kind, '--attempts', String(ATTEMPTS)]);
      let ended = false;
      const end = running.result.then(() => {
        ended = true;
      });
      while (!ended) {
        const dead = await json<{ items: object[] }>(['job', 'list', '--state', 'dead', '--pool', kind]);
        if (dead.items.length > 0 && !ended) return crashes;
      }
      await end;
    }
  }

  it('is dead after its attempts, as a task and as a service, and harms nobody else', { timeout: 90_000 }, async () => {
    const kinds = ['task', 'service'] as const;
    expect(await Promise.all(kinds.map(feed))).toEqual([ATTEMPTS, ATTEMPTS]);
    for (const pool of kinds) {
      const { item } = await json<Shown>(['job', 'show', 'bad', '--pool', pool]);
      expect(item).toMatchObject({
        state: 'DEAD',
        attempt: ATTEMPTS,
        error: expect.stringContaining('the worker ended'),
      });
      const wait = pool === 'task' ? 'completed' : 'started';
      expect((await run(['job', 'dispatch', 'good', 'x', '--wait', wait, '--pool', pool])).code).toBe(0);
      expect((await run(['doctor', pool, '-o', 'json'])).stdout).toContain('"violations":[]');
    }
  });
});
