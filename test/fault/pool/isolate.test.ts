/** Handlers that keep their event loop and do not listen, in the worker's process and in one of their own. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PoolClient } from '../../../src/engine/pool/client.ts';
import type { LeaseTerms } from '../../../src/engine/pool/options.ts';
import { useRedis } from '../../support/fixture.ts';
import { isRunning } from '../../support/pool-cli.ts';
import { until } from '../../support/until.ts';
import { judge } from './checker.ts';
import { Fleet, type FleetProcess } from './fleet.ts';
import { History, workerOf } from './history.ts';
import { type JournalEvent, nowMs } from './journal.ts';

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
    const fleet = new Fleet({ url: redis.server.url, prefix: redis.prefix, pool, lease: SHORT });
    const history = new History(fleet.folder);
    redis.defer(() => fleet.stop());
    const options = { tickMs: TICK_MS, settleMs: 200, ...(isolate === undefined ? {} : { isolate }) };
    const processes = [await fleet.startWorker(options), await fleet.startWorker(options)];
    const client = await PoolClient.open(await redis.connect(), pool);
    redis.defer(() => client.close());
    return {
      history,
      client,
      processes: processes as [FleetProcess, FleetProcess],
      startedElsewhere: (keys: string[], worker: FleetProcess, sinceMs: number) =>
        until(
          () => {
            const starts = history
              .read()
              .find('start', { fromMs: sinceMs })
              .filter(({ who }) => workerOf(who) !== worker.name);
            return keys.every(key => starts.some(({ jobs }) => jobs?.[0]?.[0] === key)) && starts;
          },
          'all jobs to be taken over',
          { everyMs: 50 },
        ),
      async finish() {
        await fleet.stop();
        const atMs = nowMs();
        const { overlaps, tokensBack } = judge(history.read().events, { fromMs: 0, restMs: atMs, toMs: atMs });
        expect([overlaps, tokensBack]).toEqual([[], []]);
        await until(() => !history.processes().some(isRunning), 'every host to be gone', { everyMs: 20 });
        await rm(fleet.folder, { recursive: true });
      },
    };
  }

  it('do nothing owned after the deadline when they keep the event loop of the worker for two leases, and are reported', async () => {
    const { history, client, processes, startedElsewhere, finish } = await setUp(undefined);
    await client.dispatch('blocker', String(2.5 * SHORT.leaseMs), { wait: 'started' });
    const blockedAtMs = nowMs();
    const name = history.read().find('start', { key: 'blocker' })[0]?.who;
    const blocked = processes.find(worker => worker.name === name) as FleetProcess;
    const of = (what: JournalEvent['what']) => history.read().find(what, { who: blocked.name });
    const starts = await startedElsewhere(['blocker'], blocked, blockedAtMs);
    const takenOverAtMs = starts[0]?.atMs ?? 0;
    expect(takenOverAtMs - blockedAtMs).toBeLessThan(TAKEN_OVER_MS);
    await until(() => of('zombie').length > 0, 'the zombie to be reported', { everyMs: 50 });
    expect(of('zombie')[0]?.jobs?.[0]?.[0]).toBe('blocker');
    expect(of('refused').length).toBeGreaterThan(0);
    const lastOwnedMs = Math.max(...of('tick').map(({ atMs }) => atMs));
    expect(lastOwnedMs - blockedAtMs).toBeLessThan(SHORT.leaseMs - SHORT.marginMs + TICK_MS);
    await finish();
  });

  it('are killed by the watchdog when the worker of their process stands still for three leases', async () => {
    const { history, client, processes, startedElsewhere, finish } = await setUp(MODULE);
    await Promise.all(KEYS.map(key => client.dispatch(key, '', { wait: 'started' })));
    const [stopped] = processes;
    await until(() => history.read().keysOf(stopped.name).length > 0, 'the worker to have jobs', { everyMs: 20 });
    const mine = history.keysOf(stopped.name);
    const [host] = history.processes(stopped.name) as [number];
    stopped.process.kill('SIGSTOP');
    const stoppedAtMs = nowMs();
    await until(() => !isRunning(host), 'the host to be killed', { everyMs: 5 });
    expect(nowMs() - stoppedAtMs).toBeLessThan(DEAD_MS);
    const starts = await startedElsewhere(mine, stopped, stoppedAtMs);
    expect(Math.max(...starts.map(({ atMs }) => atMs)) - stoppedAtMs).toBeLessThan(TAKEN_OVER_MS);
    await until(() => nowMs() - stoppedAtMs > 3 * SHORT.leaseMs, 'three leases');
    stopped.process.kill('SIGCONT');
    const resumedAtMs = nowMs();
    const registered = () => history.read().find('registered', { who: stopped.name, fromMs: resumedAtMs }).length > 0;
    await until(registered, 'it to come back', { everyMs: 50 });
    await finish();
  });

  it('are killed when one keeps the event loop of their process and the worker is killed', async () => {
    const { history, client, processes, startedElsewhere, finish } = await setUp(MODULE);
    // It never gets as far as having started: its attempt is under way all the same.
    await client.dispatch('blocker', 'block');
    const running = () => processes.find(worker => history.read().processes(worker.name).length > 0);
    await until(running, 'the job to run', { everyMs: 20 });
    const killed = running() as FleetProcess;
    const [host] = history.processes(killed.name) as [number];
    killed.process.kill('SIGKILL');
    const killedAtMs = nowMs();
    await until(() => !isRunning(host), 'the host to be killed', { everyMs: 5 });
    expect(nowMs() - killedAtMs).toBeLessThan(DEAD_MS);
    const starts = await startedElsewhere(['blocker'], killed, killedAtMs);
    expect(Math.max(...starts.map(({ atMs }) => atMs)) - killedAtMs).toBeLessThan(TAKEN_OVER_MS);
    await finish();
  });
});
