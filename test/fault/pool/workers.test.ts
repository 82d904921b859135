import { rm } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { PoolClient } from '../../../src/engine/pool/client.ts';
import { type LeaseTerms, leasePresets } from '../../../src/engine/pool/options.ts';
import { useRedis } from '../../support/fixture.ts';
import { findViolations } from '../../support/pool-invariants.ts';
import { until } from '../../support/until.ts';
import { Fleet } from './fleet.ts';
import { nowMs } from './history.ts';

/** Short, so that the tests are; every wait is derived from it. */
const SHORT: LeaseTerms = { leaseMs: 1500, marginMs: 400, graceMs: 400, clampMs: 400, stopBudgetMs: 300 };
const KEYS = Array.from({ length: 40 }, (_, i) => `job-${i}`);
const TICK_MS = 50;

describe('worker processes under faults', () => {
  const redis = useRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'everysec'] });

  async function setUp(options: { lease: LeaseTerms; workers: number; keys?: string[] }) {
    const { lease, workers, keys = KEYS } = options;
    const pool = 'faults';
    const fleet = new Fleet({ url: redis.server.url, prefix: redis.prefix, pool, lease, tickMs: TICK_MS });
    redis.defer(() => fleet.stop());
    const processes = [await fleet.start()];
    processes.push(...(await Promise.all(Array.from({ length: workers - 1 }, () => fleet.start()))));
    const link = await redis.connect();
    const client = await PoolClient.open(link, pool);
    redis.defer(() => client.close());
    await Promise.all(keys.map(key => client.dispatch(key, '', { wait: 'started' })));
    return {
      fleet,
      processes,
      link,
      client,
      pool,
      async finish() {
        expect(fleet.history().overlaps()).toEqual([]);
        // Not one snapshot: while jobs move it may see one in two places. At rest it must hold.
        let violations: string[] = [];
        await until(
          async () => {
            violations = await findViolations(link, pool);
            return violations.length === 0;
          },
          'the invariants to hold',
          { limitMs: 5000, everyMs: 100 },
        ).catch(() => {});
        expect(violations).toEqual([]);
        await fleet.stop();
        await rm(fleet.folder, { recursive: true });
      },
    };
  }

  /** Resolves when every job has shown itself since `sinceMs`, with how long that took. */
  async function untilAllAlive(fleet: Fleet, keys: readonly string[], sinceMs: number): Promise<number> {
    await until(() => fleet.history().aliveAfter(sinceMs).size >= keys.length, 'all jobs to be alive', { everyMs: 50 });
    const firsts = [...fleet.history().lives().values()].map(
      life => life.find(({ atMs }) => atMs > sinceMs)?.atMs ?? Number.POSITIVE_INFINITY,
    );
    return Math.max(...firsts) - sinceMs;
  }

  it('brings the jobs of a killed worker back within lease, grace and a second, never two at once', async () => {
    const lease = leasePresets.fast;
    const { fleet, processes, finish } = await setUp({ lease, workers: 3 });
    const killedAtMs = nowMs();
    processes[1]?.process.kill('SIGKILL');
    await processes[1]?.exited;
    const tookMs = await untilAllAlive(fleet, KEYS, nowMs());
    expect(nowMs() - killedAtMs).toBeGreaterThan(0);
    expect(tookMs).toBeLessThan(lease.leaseMs + lease.graceMs + 1000);
    await finish();
  });

  it('never runs a job twice at once when a worker is stopped for two leases and goes on', async () => {
    const { fleet, processes, finish } = await setUp({ lease: SHORT, workers: 3 });
    const [, stopped] = processes;
    const mine = new Set(
      [...fleet.history().lives()].filter(([, life]) => life.at(-1)?.worker === stopped?.name).map(([key]) => key),
    );
    expect(mine.size).toBeGreaterThan(0);
    stopped?.process.kill('SIGSTOP');
    const stoppedAtMs = nowMs();
    await untilAllAlive(fleet, KEYS, stoppedAtMs);
    await until(() => nowMs() - stoppedAtMs > 2 * SHORT.leaseMs, 'two leases');
    stopped?.process.kill('SIGCONT');
    const resumedAtMs = nowMs();
    const since = (what: string) =>
      fleet
        .history()
        .events.some(event => event.what === what && event.worker === stopped?.name && event.atMs > resumedAtMs);
    await until(() => since('fenced'), 'the stopped worker to give itself up');
    await until(() => since('registered'), 'it to come back');
    await untilAllAlive(fleet, KEYS, nowMs());
    // The first thing it did was to give itself up: nothing it still held ticked after it went on.
    const history = fleet.history();
    const fencedAtMs = history.events.find(
      ({ what, worker, atMs }) => what === 'fenced' && worker === stopped?.name && atMs > resumedAtMs,
    )?.atMs;
    expect(fencedAtMs).toBeDefined();
    const stale = history.events.filter(
      ({ what, worker, atMs }) =>
        worker === stopped?.name && what === 'tick' && atMs > resumedAtMs && atMs < (fencedAtMs ?? 0),
    );
    expect(stale).toEqual([]);
    await finish();
  });

  it('hands everything on when a worker is told to end, and exits with 0', async () => {
    const { fleet, processes, finish } = await setUp({ lease: SHORT, workers: 3 });
    const atMs = nowMs();
    processes[0]?.process.kill('SIGTERM');
    expect(await processes[0]?.exited).toBe(0);
    await untilAllAlive(fleet, KEYS, nowMs());
    const gap = fleet.history().longestGapMs(atMs - 100, nowMs() - TICK_MS);
    expect(gap.ms).toBeLessThan(1000);
    await finish();
  });

  it('loses no job when Redis is killed and comes back', async () => {
    const { fleet, client, finish } = await setUp({ lease: SHORT, workers: 2 });
    await redis.server.down('SIGKILL');
    await pause(300);
    await redis.server.up();
    const backAtMs = nowMs();
    await untilAllAlive(fleet, KEYS, backAtMs + 100);
    await until(
      async () => (await client.where('job-0').catch(() => undefined)) !== undefined,
      'the client to be back',
    );
    for (const key of KEYS) expect(await client.where(key)).toMatchObject({ recorded: true });
    await finish();
  });

  it('stops itself while Redis stands still for longer than a lease, then goes on where it was', async () => {
    const { fleet, finish } = await setUp({ lease: SHORT, workers: 2 });
    const owners = () => new Map([...fleet.history().lives()].map(([key, life]) => [key, life.at(-1)?.worker]));
    const before = owners();
    redis.server.signal('SIGSTOP');
    const stoppedAtMs = nowMs();
    await until(() => fleet.history().count('fenced', stoppedAtMs) >= 2, 'both workers to give themselves up');
    await until(() => nowMs() - stoppedAtMs > 2 * SHORT.leaseMs, 'two leases');
    redis.server.signal('SIGCONT');
    await untilAllAlive(fleet, KEYS, nowMs());
    const moved = KEYS.filter(key => owners().get(key) !== before.get(key));
    // The logical clock did not run while Redis stood still: nobody else took anything.
    expect(moved).toEqual([]);
    await finish();
  });

  it('goes on through flushed scripts and killed connections without a restart', async () => {
    const { fleet, link, finish } = await setUp({ lease: SHORT, workers: 3 });
    const fromMs = nowMs();
    const starts = fleet.history().count('start');
    for (let i = 0; i < 5; i++) {
      await link.commands.call('SCRIPT', 'FLUSH');
      await link.commands.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await link.commands.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await pause(100);
    }
    await untilAllAlive(fleet, KEYS, nowMs());
    const history = fleet.history();
    expect(history.count('start')).toBe(starts);
    expect(history.count('fenced', fromMs)).toBe(0);
    await finish();
  });
});
