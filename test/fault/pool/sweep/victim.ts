/**
 * A process that reaches every script of the pool, and ends by SIGKILL just before or just after one of them: the engine
 * it runs is the real one, only the way its scripts take to Redis is watched.
 *
 * Argument: a JSON of VictimOptions. Exits with 3 when the script was never reached.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { purgeJobs } from '../../../../src/engine/admin/dead-jobs.ts';
import { rebalancePool } from '../../../../src/engine/admin/fleet.ts';
import { addRoute } from '../../../../src/engine/admin/pools.ts';
import { repairPool } from '../../../../src/engine/admin/repair.ts';
import { applyRoutes } from '../../../../src/engine/admin/routes.ts';
import type { Job, ServiceHandler } from '../../../../src/engine/pool/handler.ts';
import { PoolNode } from '../../../../src/engine/pool/node.ts';
import type { LeaseTerms } from '../../../../src/engine/pool/options.ts';
import { Shard } from '../../../../src/engine/pool/shard.ts';
import { Connection } from '../../../../src/engine/redis/connection.ts';
import { RedisLink } from '../../../../src/engine/redis/link.ts';
import '../../../support/end-with-parent.ts';
import { request, WORKER_INFO } from '../../../support/shard.ts';
import { until } from '../../../support/until.ts';
import { Journal } from '../journal.ts';
import { FORGOTTEN } from './sweep.ts';

export interface VictimOptions {
  url: string;
  prefix: string;
  pool: string;
  journal: string;
  lease: LeaseTerms;
  /** As `pool.claim`. */
  script: string;
  /** At which of its calls. */
  nth: number;
  when: 'before' | 'after';
}

/** Of a member that never renews, so that there is something to reap. */
const GHOSTS = 'ghosts';
const OTHERS = 'others';
/** More than a hint carries: its worker must fetch it. */
const LARGE = 'x'.repeat(20_000);
const NEVER_REACHED = 3;

const options = JSON.parse(process.argv[2] as string) as VictimOptions;
const journal = new Journal(options.journal, 'victim');

function end(): Promise<never> {
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => {});
}

const run = Connection.prototype.run;
let calls = 0;
Connection.prototype.run = async function (this: Connection, ...args: Parameters<typeof run>) {
  const isIt = args[0].name === options.script && ++calls === options.nth;
  if (isIt && options.when === 'before') await end();
  const reply = await run.apply(this, args);
  if (isIt) await end();
  return reply;
} as typeof run;

const held = new Set<string>();
const handler: ServiceHandler = {
  start(job: Job) {
    journal.write('start', { jobs: [[job.key, job.token]] });
    if (job.key.startsWith('bad')) throw new Error('broke');
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
const node = await PoolNode.join(link, options.pool, settings);
const shard = await Shard.find(link, options.pool);

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

/** As FLUSHALL: what runs here is asserted, what has ended here is ended again. */
async function loseRedis(): Promise<void> {
  journal.write('fault', { detail: FORGOTTEN });
  for await (const names of link.commands.scanKeys(`${link.keys.pool(options.pool).base}:*`)) {
    await link.commands.call('UNLINK', ...names);
  }
  const isBack = async () => (await shard.readJob('stay-1', 'worker'))[0] !== null;
  await until(isBack, 'the jobs to be known again');
}

await makeGhost();
// Nobody is there yet: they wait, and are taken.
for (const key of ['stay-0', 'stay-1', 'move-0', 'told']) await dispatch(key);
const first = await node.addWorker({ handler, id: 'v1' });
await node.addWorker({ handler, id: 'v2' });
await until(() => held.size >= 4, 'the jobs to run');
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
await breakPool();
await repairPool(link, options.pool, { broken: 'set-aside' });
await first.drain();
await loseRedis();
await node.drain();
await pause(200);
process.exit(NEVER_REACHED);
