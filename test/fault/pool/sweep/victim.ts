/**
 * A process that reaches every script of the pool, and ends by SIGKILL just before or just after one of them: the engine
 * it runs is the real one, only the way its scripts take to Redis is watched.
 *
 * Argument: a JSON of VictimOptions. Exits with 3 when the script was never reached.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { purgeJobs, retryJobs } from '../../../../src/engine/admin/dead-jobs.ts';
import { rebalancePool } from '../../../../src/engine/admin/fleet.ts';
import { addRoute } from '../../../../src/engine/admin/pools.ts';
import { repairPool } from '../../../../src/engine/admin/repair.ts';
import { applyRoutes } from '../../../../src/engine/admin/routes.ts';
import { addSchedule, pauseSchedule, removeSchedule, resumeSchedule } from '../../../../src/engine/admin/schedules.ts';
import { closePool, openPool } from '../../../../src/engine/admin/shutdown.ts';
import { upgradePool } from '../../../../src/engine/admin/upgrade.ts';
import { showSchedule } from '../../../../src/engine/inspect/schedules.ts';
import { PoolClient } from '../../../../src/engine/pool/client.ts';
import type { Job, ServiceHandler } from '../../../../src/engine/pool/handler.ts';
import { PoolNode } from '../../../../src/engine/pool/node.ts';
import type { LeaseTerms } from '../../../../src/engine/pool/options.ts';
import { removePool } from '../../../../src/engine/pool/removal.ts';
import { Shard } from '../../../../src/engine/pool/shard.ts';
import { RedisLink } from '../../../../src/engine/redis/link.ts';
import '../../../support/end-with-parent.ts';
import { request, WORKER_INFO } from '../../../support/shard.ts';
import { until } from '../../../support/until.ts';
import { type Crash, crashAt, NEVER_REACHED } from '../../crash.ts';
import { Journal } from '../journal.ts';
import { FORGOTTEN, NEW_RELEASE, RETRIED, SPARE } from './sweep.ts';
import { LASTING, PASSING, TICKER, TIMING } from './ticks.ts';

export interface VictimOptions extends Crash {
  url: string;
  prefix: string;
  pool: string;
  journal: string;
  lease: LeaseTerms;
}

/** Of a member that never renews, so that there is something to reap. */
const GHOSTS = 'ghosts';
const OTHERS = 'others';
/** More than a hint carries: its worker must fetch it. */
const LARGE = 'x'.repeat(20_000);

const options = JSON.parse(process.argv[2] as string) as VictimOptions;
const journal = new Journal(options.journal, 'victim');

crashAt(options);

const held = new Set<string>();
/** Dead after two attempts, so that they survive a crash of their worker once they are retried. */
const AGAIN = ['again-0', 'again-1'];
const ATTEMPTS = 2;
const failures = new Map<string, number>();
const handler: ServiceHandler = {
  start(job: Job) {
    journal.write('start', { jobs: [[job.key, job.token]] });
    if (job.key.startsWith('bad')) throw new Error('broke');
    const count = failures.get(job.key) ?? 0;
    if (AGAIN.includes(job.key) && count < ATTEMPTS) {
      failures.set(job.key, count + 1);
      throw new Error('broke');
    }
    held.add(job.key);
    if (job.key.startsWith('done')) setTimeout(() => job.complete(), 1);
  },
  stop(job: Job) {
    held.delete(job.key);
    journal.write('stop', { jobs: [[job.key, job.token]] });
  },
  notify() {},
};

const link = await RedisLink.connect({ url: options.url, prefix: options.prefix });
const settings = { lease: options.lease, reconcileMs: 50, settleMs: 20 };
// Made in the version of before, so that it can be raised.
const shard = await Shard.open(link, options.pool, 0, {
  create: true,
  lease: options.lease,
  limit: undefined,
  shards: undefined,
  defaults: { limit: 1000, shards: 1, ledgerLength: 1000, deadLimit: 100 },
});
const node = await PoolNode.join(link, options.pool, { ...settings, protocols: NEW_RELEASE });

async function dispatch(key: string, payload = '', attempts = 0): Promise<void> {
  journal.write('sent', { jobs: [[key, 0]] });
  await node.dispatch(key, payload, { id: key, attempts, backoffMs: 10, backoffMaxMs: 20 });
  journal.write('accepted', { jobs: [[key, 0]] });
}

async function makeGhost(): Promise<void> {
  const info = JSON.stringify({ ...WORKER_INFO, group: GHOSTS, node: 'gone' });
  await shard.register('ghost', 'gone', 1, info);
  const { epoch } = await shard.members('', GHOSTS, 0);
  for (const key of ['ghost-0', 'ghost-1']) {
    journal.write('sent', { jobs: [[key, 0]] });
    await shard.dispatch(request(key, { id: key, group: GHOSTS, worker: 'ghost', epoch, rememberMs: 60_000 }));
    journal.write('accepted', { jobs: [[key, 0]] });
  }
}

/** What no process of ours does to a pool: a number that is wrong, a key out of its set, a key of a wrong type. */
async function breakPool(): Promise<void> {
  const keys = link.keys.pool(options.pool);
  await link.commands.call('HINCRBY', keys.config, 'count', 3);
  await link.commands.call('SREM', keys.groups, OTHERS);
  await link.commands.call('SREM', keys.owned('v1'), 'stay-0');
  await link.commands.call('SREM', keys.owned('v2'), 'stay-0');
  await link.commands.call('SET', keys.job('foreign'), 'no record');
}

async function letTick(): Promise<void> {
  for (const name of [LASTING, PASSING]) {
    journal.write('sent', { jobs: [[name, 0]] });
    await addSchedule(link, options.pool, name, { ...TIMING, key: name });
    if (name === LASTING) journal.write('scheduled', { detail: name });
  }
  let runs = 0;
  await node.ticker(TICKER, TIMING, tick => {
    runs++;
    journal.write('ticked', { detail: String(tick.atMs) });
  });
  const { firedCount } = await showSchedule(link, options.pool, LASTING);
  const hasFired = async () => (await showSchedule(link, options.pool, LASTING)).firedCount > firedCount + 1;
  await until(hasFired, 'ticks to dispatch');
  await until(() => runs > 2, 'ticks to be run');
  await pauseSchedule(link, options.pool, PASSING);
  await resumeSchedule(link, options.pool, PASSING);
  await removeSchedule(link, options.pool, PASSING);
}

/** Ticks are put off as long as nothing new is admitted; what is there goes on. */
async function closeForAWhile(): Promise<void> {
  await closePool(link, options.pool);
  await until(async () => (await showSchedule(link, options.pool, LASTING)).failureCount > 1, 'ticks to be put off');
  await openPool(link, options.pool);
}

async function retryDead(): Promise<void> {
  for (const key of AGAIN) await dispatch(key, '', ATTEMPTS);
  for (const key of AGAIN) {
    await until(async () => (await shard.readJob(key, 'state'))[0] === null, 'it to be dead');
    journal.write('sent', { jobs: [[key, 0]], detail: RETRIED });
    await retryJobs(link, options.pool, [key], (_, error) => {
      if (error) throw error;
    });
    journal.write('accepted', { jobs: [[key, 0]], detail: RETRIED });
  }
  await until(() => AGAIN.every(key => held.has(key)), 'what is retried to run');
}

/** As FLUSHALL: what runs here is asserted, what has ended here is ended again. */
async function loseRedis(): Promise<void> {
  journal.write('fault', { detail: FORGOTTEN });
  for await (const names of link.commands.scanKeys(`${link.keys.pool(options.pool).base}:*`)) {
    await link.commands.call('UNLINK', ...names);
  }
  const isBack = async () => (await shard.readJob('stay-1', 'worker'))[0] !== null;
  await until(isBack, 'the jobs to be known again');
}

/** One that is not looked at further: whatever is left of it, another removal must end. */
async function removeSpare(): Promise<void> {
  const client = await PoolClient.open(link, SPARE, { create: true, lease: options.lease });
  await client.dispatch('of the spare', '', { id: 'spare', retentionMs: 60_000 });
  await client.stop('of the spare');
  await addSchedule(link, SPARE, 'later', { everyMs: 3_600_000, key: 'later' });
  await addRoute(link, SPARE, { glob: '*', group: OTHERS });
  await client.close();
  journal.write('removing');
  await removePool(link, SPARE);
}

await makeGhost();
// Nobody is there yet: they wait, and are taken.
for (const key of ['stay-0', 'stay-1', 'move-0', 'told']) await dispatch(key);
const first = await node.addWorker({ handler, id: 'v1' });
await node.addWorker({ handler, id: 'v2' });
await until(() => held.size >= 4, 'the jobs to run');
await letTick();
await closeForAWhile();
await retryDead();
await dispatch('large', LARGE);
for (const key of ['done-0', 'done-1', 'bad-0', 'bad-1']) await dispatch(key, '', key === 'bad-1' ? 2 : 1);
for (const text of ['1', '2', '3']) await node.notify('told', text);
await until(() => held.has('large'), 'the large one');
await node.stop('told');
await addRoute(link, options.pool, { glob: 'move-*', group: OTHERS });
await applyRoutes(link, options.pool);
await rebalancePool(link, options.pool, { timeoutMs: 0 });
const gone = async () => String((await shard.readJob('ghost-0', 'worker'))[0]) !== 'ghost';
await until(gone, 'the ghost to be reaped');
await until(async () => (await shard.readJob('bad-0', 'state'))[0] === null, 'it to be dead');
await purgeJobs(link, options.pool, ['bad-0'], () => {});
journal.write('broken');
await breakPool();
await repairPool(link, options.pool, { broken: 'set-aside' });
journal.write('mended');
await first.drain();
await upgradePool(link, options.pool, { protocols: NEW_RELEASE });
// Told that the pool is another one now, the node looks it up again.
await dispatch('raised');
await loseRedis();
await removeSpare();
await node.drain();
await pause(200);
process.exit(NEVER_REACHED);
