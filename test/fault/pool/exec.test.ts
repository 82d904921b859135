/** Commands are run by child processes; their own log says who was alive when. */
import { mkdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PoolClient } from '../../../src/engine/pool/client.ts';
import { type LeaseTerms, leasePresets } from '../../../src/engine/pool/options.ts';
import { useRedis } from '../../support/fixture.ts';
import { isRunning } from '../../support/pool-cli.ts';
import { until } from '../../support/until.ts';
import { Fleet } from './fleet.ts';
import { overlapsOf } from './history.ts';

const SHORT: LeaseTerms = { leaseMs: 1500, marginMs: 400, graceMs: 400, clampMs: 400, stopBudgetMs: 300 };
const KEYS = Array.from({ length: 15 }, (_, i) => `job-${i}`);

describe('child processes of workers under faults', () => {
  const redis = useRedis();

  async function setUp(lease: LeaseTerms) {
    const pool = 'faults';
    const probe = new Fleet({ url: redis.server.url, prefix: redis.prefix, pool, lease, tickMs: 0 });
    const log = join(probe.folder, 'alive');
    mkdirSync(log);
    // One line while alive, each 0.2 s; it ignores SIGTERM, so that only force ends it.
    const exec = `trap '' TERM; while :; do echo "$(date +%s%N) $PONOS_JOB_TOKEN $$" >> ${log}/$PONOS_JOB_KEY; sleep 0.2; done`;
    const workers = await Promise.all([1, 2, 3].map(() => probe.start({ exec })));
    redis.defer(() => probe.stop());
    const client = await PoolClient.open(await redis.connect(), pool);
    redis.defer(() => client.close());
    await Promise.all(KEYS.map(key => client.dispatch(key, '', { wait: 'started' })));
    const lives = (key: string) => {
      let text = '';
      try {
        text = readFileSync(join(log, key), 'utf8');
      } catch {
        // Not started yet.
      }
      return text
        .split('\n')
        .filter(line => /^\d+ \d+ \d+$/.test(line))
        .map(line => line.split(' ').map(Number) as [number, number, number])
        .map(([atNs, token, pid]) => ({ key, token, worker: String(pid), atMs: atNs / 1e6 }));
    };
    const aliveSince = (ms: number) => KEYS.filter(key => lives(key).some(({ atMs }) => atMs > ms)).length;
    await until(() => aliveSince(0) === KEYS.length, 'all children to be alive', { everyMs: 50 });
    return {
      workers,
      lives,
      untilAllAlive: (sinceMs: number) =>
        until(() => aliveSince(sinceMs) === KEYS.length, 'all children to be alive again', { everyMs: 50 }),
      async finish() {
        expect(KEYS.flatMap(key => overlapsOf(lives(key)))).toEqual([]);
        for (const key of KEYS) await client.stop(key);
        await probe.stop();
        // The watchdogs outlive the workers: nothing may be left to write into the folder.
        const pids = KEYS.flatMap(key => lives(key).map(({ worker }) => Number(worker)));
        await until(() => !pids.some(isRunning), 'every child to be gone', { everyMs: 50 });
        await rm(probe.folder, { recursive: true });
      },
    };
  }

  it('die with a worker that is killed, and run elsewhere within lease, grace and a second', async () => {
    const lease = leasePresets.fast;
    const { workers, untilAllAlive, lives, finish } = await setUp(lease);
    const killedAtMs = Date.now();
    workers[0]?.process.kill('SIGKILL');
    await workers[0]?.exited;
    await untilAllAlive(killedAtMs + lease.stopBudgetMs + 300);
    const backMs = Math.max(...KEYS.map(key => (lives(key).at(-1)?.atMs ?? 0) - killedAtMs));
    expect(backMs).toBeLessThan(lease.leaseMs + lease.graceMs + 1000 + 300);
    await finish();
  });

  it('are killed at the end of the lease of a worker that stands still, and the worker starts nothing stale', async () => {
    const { workers, untilAllAlive, finish } = await setUp(SHORT);
    workers[1]?.process.kill('SIGSTOP');
    const stoppedAtMs = Date.now();
    await untilAllAlive(stoppedAtMs + SHORT.leaseMs + SHORT.graceMs);
    await until(() => Date.now() - stoppedAtMs > 3 * SHORT.leaseMs, 'three leases');
    workers[1]?.process.kill('SIGCONT');
    await untilAllAlive(Date.now() + 500);
    await finish();
  });
});
