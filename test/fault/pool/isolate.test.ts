/** Handlers that keep their event loop and do not listen, in the worker's process and in one of their own. */
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PoolClient } from '../../../src/engine/pool/client.ts';
import type { LeaseTerms } from '../../../src/engine/pool/options.ts';
import { useRedis } from '../../support/fixture.ts';
import { isRunning } from '../../support/pool-cli.ts';
import { until } from '../../support/until.ts';
import { Fleet, type WorkerProcess } from './fleet.ts';
import { nowMs } from './history.ts';

const SHORT: LeaseTerms = { leaseMs: 1500, marginMs: 400, graceMs: 400, clampMs: 400, stopBudgetMs: 300 };
const TAKEN_OVER_MS = SHORT.leaseMs + SHORT.graceMs + 1000;
/** From the last renewal to the death of what does not stop: the deadline, the budget for stopping, one look of the watchdog. */
const DEAD_MS = SHORT.leaseMs - SHORT.marginMs + SHORT.stopBudgetMs * 0.6 + 100 + 200;
const MODULE = join(import.meta.dirname, 'deaf-module.ts');
const KEYS = Array.from({ length: 8 }, (_, i) => `job-${i}`);
const TICK_MS = 20;

describe('handlers that do not listen', () => {
  const redis = useRedis();

  async function setUp(isolate: string | undefined) {
    const pool = 'faults';
    const fleet = new Fleet({ url: redis.server.url, prefix: redis.prefix, pool, lease: SHORT, tickMs: TICK_MS });
    redis.defer(() => fleet.stop());
    const processes = [
      await fleet.start(isolate === undefined ? {} : { isolate }),
      await fleet.start(isolate === undefined ? {} : { isolate }),
    ];
    const client = await PoolClient.open(await redis.connect(), pool);
    redis.defer(() => client.close());
    /** Keys in the hands of a worker, by their last sign of life. */
    const heldBy = (worker: WorkerProcess) =>
      [...fleet.history().lives()].filter(([, life]) => life.at(-1)?.worker === worker.name).map(([key]) => key);
    /** The processes that ran jobs of a worker. */
    const hostsOf = ({ name }: WorkerProcess) => [
      ...new Set(
        readFileSync(join(fleet.folder, `${name}.jsonl`), 'utf8')
          .split('\n')
          .map(line => Number(/"pid":(\d+)/.exec(line)?.[1]))
          .filter(Boolean),
      ),
    ];
    const hosts = () => processes.flatMap(hostsOf);
    return {
      fleet,
      client,
      processes: processes as [WorkerProcess, WorkerProcess],
      heldBy,
      hostsOf,
      startedElsewhere: (keys: string[], worker: WorkerProcess, sinceMs: number) =>
        until(
          () => {
            const starts = fleet
              .history()
              .events.filter(({ what, atMs, worker: by }) => what === 'start' && atMs > sinceMs && by !== worker.name);
            return keys.every(key => starts.some(start => start.key === key)) && starts;
          },
          'all jobs to be taken over',
          { everyMs: 50 },
        ),
      async finish() {
        expect(fleet.history().overlaps()).toEqual([]);
        await fleet.stop();
        await until(() => !hosts().some(isRunning), 'every host to be gone', { everyMs: 20 });
        await rm(fleet.folder, { recursive: true });
      },
    };
  }

  it('do nothing owned after the deadline when they keep the event loop of the worker for two leases, and are reported', async () => {
    const { fleet, client, processes, startedElsewhere, finish } = await setUp(undefined);
    await client.dispatch('blocker', String(2.5 * SHORT.leaseMs), { wait: 'started' });
    const blockedAtMs = nowMs();
    const name = fleet.history().events.find(({ key }) => key === 'blocker')?.worker;
    const blocked = processes.find(worker => worker.name === name) as WorkerProcess;
    const of = (what: string) =>
      fleet.history().events.filter(event => event.what === what && event.worker === blocked.name);
    const starts = await startedElsewhere(['blocker'], blocked, blockedAtMs);
    const takenOverAtMs = starts[0]?.atMs ?? 0;
    expect(takenOverAtMs - blockedAtMs).toBeLessThan(TAKEN_OVER_MS);
    await until(() => of('zombie').length > 0, 'the zombie to be reported', { everyMs: 50 });
    expect(of('zombie')[0]?.key).toBe('blocker');
    expect(of('refused').length).toBeGreaterThan(0);
    const lastOwnedMs = Math.max(...of('tick').map(({ atMs }) => atMs));
    expect(lastOwnedMs - blockedAtMs).toBeLessThan(SHORT.leaseMs - SHORT.marginMs + TICK_MS);
    await finish();
  });

  it('are killed by the watchdog when the worker of their process stands still for three leases', async () => {
    const { fleet, client, processes, heldBy, hostsOf, startedElsewhere, finish } = await setUp(MODULE);
    await Promise.all(KEYS.map(key => client.dispatch(key, '', { wait: 'started' })));
    const [stopped] = processes;
    await until(() => heldBy(stopped).length > 0, 'the worker to have jobs', { everyMs: 20 });
    const mine = heldBy(stopped);
    const [host] = hostsOf(stopped) as [number];
    stopped.process.kill('SIGSTOP');
    const stoppedAtMs = nowMs();
    await until(() => !isRunning(host), 'the host to be killed', { everyMs: 5 });
    expect(nowMs() - stoppedAtMs).toBeLessThan(DEAD_MS);
    const starts = await startedElsewhere(mine, stopped, stoppedAtMs);
    expect(Math.max(...starts.map(({ atMs }) => atMs)) - stoppedAtMs).toBeLessThan(TAKEN_OVER_MS);
    await until(() => nowMs() - stoppedAtMs > 3 * SHORT.leaseMs, 'three leases');
    stopped.process.kill('SIGCONT');
    const resumedAtMs = nowMs();
    const registered = () =>
      fleet
        .history()
        .events.some(
          ({ what, worker, atMs }) => what === 'registered' && worker === stopped.name && atMs > resumedAtMs,
        );
    await until(registered, 'it to come back', { everyMs: 50 });
    await finish();
  });

  it('are killed when one keeps the event loop of their process and the worker is killed', async () => {
    const { client, processes, hostsOf, startedElsewhere, finish } = await setUp(MODULE);
    // It never gets as far as having started: its attempt is under way all the same.
    await client.dispatch('blocker', 'block');
    const running = () => processes.find(worker => hostsOf(worker).length > 0);
    await until(running, 'the job to run', { everyMs: 20 });
    const killed = running() as WorkerProcess;
    const [host] = hostsOf(killed) as [number];
    killed.process.kill('SIGKILL');
    const killedAtMs = nowMs();
    await until(() => !isRunning(host), 'the host to be killed', { everyMs: 5 });
    expect(nowMs() - killedAtMs).toBeLessThan(DEAD_MS);
    const starts = await startedElsewhere(['blocker'], killed, killedAtMs);
    expect(Math.max(...starts.map(({ atMs }) => atMs)) - killedAtMs).toBeLessThan(TAKEN_OVER_MS);
    await finish();
  });
});
