/** Another program wrote under our keys: every call says so and names the key, nothing is half written, nothing spins. */
import { describe, expect, it } from 'vitest';
import { drainWorker } from '../../../src/engine/admin/pools.ts';
import { repairPool } from '../../../src/engine/admin/repair.ts';
import { PonosError, QuarantineError, WrongTypeError } from '../../../src/engine/core/errors.ts';
import { resolveOptions } from '../../../src/engine/core/options.ts';
import { listJobKeys, listJobs, showJob } from '../../../src/engine/inspect/jobs.ts';
import { listLedger } from '../../../src/engine/inspect/ledger.ts';
import { locateJob } from '../../../src/engine/inspect/place.ts';
import { listNodes, listWorkers, showPool } from '../../../src/engine/inspect/pools.ts';
import { PoolClient } from '../../../src/engine/pool/client.ts';
import { PoolNode } from '../../../src/engine/pool/node.ts';
import { removePool } from '../../../src/engine/pool/removal.ts';
import { scheduleOptions } from '../../../src/engine/pool/schedules/options.ts';
import type { ScheduleRecord } from '../../../src/engine/pool/schedules/record.ts';
import { ScheduleStore } from '../../../src/engine/pool/schedules/store.ts';
import type { Shard } from '../../../src/engine/pool/shard.ts';
import type { RedisLink } from '../../../src/engine/redis/link.ts';
import { dumpKeys } from '../../support/dump.ts';
import { usePool } from '../../support/pool.ts';
import { joinWorker, openShard, passTime, putSchedules, request } from '../../support/shard.ts';
import { until } from '../../support/until.ts';

type Keys = ReturnType<RedisLink['keys']['pool']>;

const settings = resolveOptions('schedule', scheduleOptions, {});

const KEYS: Record<string, (keys: Keys) => string> = {
  'the settings': keys => keys.config,
  'the members': keys => keys.members,
  'their descriptions': keys => keys.memberInfo,
  'the groups': keys => keys.groups,
  'the list of the dead': keys => keys.dead,
  'the ledger': keys => keys.ledger,
  'a queue': keys => keys.pending('default'),
  'an owned set': keys => keys.owned('w'),
  'the record of a job that is owned': keys => String(keys.job('owned')),
  'the record of a job that waits': keys => String(keys.job('waits')),
  'the record of a dead job': keys => String(keys.deadJob('died')),
  'the notes of a job': keys => String(keys.notes('owned')),
  'the outcome of a dispatch': keys => keys.dispatch('known'),
  'the list of the schedules': keys => keys.schedules,
  'a schedule': keys => keys.schedule('hourly'),
  'a ticker': keys => keys.schedule('ticker'),
};

interface Scene {
  link: RedisLink;
  pool: string;
  shard: Shard;
  client: PoolClient;
  token: number;
  /** Schedules as they were, and a claim of the ticker. */
  records: Map<string, ScheduleRecord>;
  claim: string;
}

/** Calls that are made beside each other. */
const LANES = 6;

type Call = (scene: Scene) => Promise<unknown>;

/** Every call of a client and of an operator, and every script a worker sends. */
const CALLS: Record<string, Call> = {
  dispatch: ({ client }) => client.dispatch('new', 'x'),
  'dispatch of a key that is there': ({ client }) => client.dispatch('owned', 'x'),
  'dispatch with a known id': ({ client }) => client.dispatch('known', 'x', { id: 'known' }),
  'dispatch with a delay': ({ client }) => client.dispatch('late', 'x', { delayMs: 60_000 }),
  'stop of a job that waits': ({ client }) => client.stop('waits'),
  'stop of a job that is owned': ({ client }) => client.stop('owned'),
  retry: ({ shard }) => shard.retry('known', 'died', 'default'),
  purge: ({ shard }) => shard.purge(['died']),
  regroup: ({ shard }) => shard.regroup(['owned', 'heavy', 'waits', 'heavy']),
  rebalance: ({ shard }) => shard.rebalance(),
  close: ({ shard }) => shard.gate(false),
  raiseProtocol: ({ shard }) => shard.raiseProtocol(1, true),
  remove: ({ link, pool }) => removePool(link, pool, { jobs: true, timeoutMs: 0 }),
  notify: ({ client }) => client.notify('owned', 'x'),
  where: ({ client }) => client.where('owned'),
  owner: ({ client }) => client.owner('waits'),
  open: async ({ link, pool }) => (await PoolClient.open(link, pool)).close(),
  drainWorker: ({ link, pool }) => drainWorker(link, pool, 'w'),
  showPool: ({ link, pool }) => showPool(link, pool),
  listWorkers: ({ link, pool }) => listWorkers(link, pool),
  listNodes: ({ link, pool }) => listNodes(link, pool),
  listJobKeys: ({ link, pool }) => listJobKeys(link, pool),
  listJobs: ({ link, pool }) => listJobs(link, pool),
  'listJobs of the dead': ({ link, pool }) => listJobs(link, pool, { state: 'DEAD' }),
  showJob: ({ link, pool }) => showJob(link, pool, 'owned'),
  listLedger: ({ link, pool }) => listLedger(link, pool),
  locateJob: ({ link, pool }) => locateJob(link, pool, 'owned'),
  register: ({ shard }) => joinWorker(shard, 'other'),
  renew: ({ shard, link }) => shard.renew(link.commands, 'w', 1),
  members: ({ shard }) => shard.members('w', 'default', 0),
  due: ({ shard }) => shard.due('default', 0, 10),
  assign: async ({ shard }) =>
    shard.assign({ id: 'w', incarnation: 1, group: 'default', capacity: 100 }, 2, ['due', 'waits']),
  claim: ({ shard }) => shard.claim('w', 1, ['owned', '', 'second', '']),
  started: ({ shard, token }) => shard.started('w', ['owned', token, '']),
  settle: ({ shard, token }) => shard.settle('w', ['owned', token, 'completed', '']),
  fail: ({ shard, token }) => shard.fail('w', 'owned', token, 'no', 0, false),
  'fail at the last attempt': ({ shard, token }) => shard.fail('w', 'owned', token, 'no', 0, true),
  release: ({ shard, token }) => shard.release('w', 'owned', token, undefined, 'test'),
  takeNotes: ({ shard, token }) => shard.takeNotes('owned', token, '', 0, 0),
  'schedule is put': ({ shard }) => putSchedules(shard),
  'schedule is paused': ({ shard }) => new ScheduleStore(shard).pause('hourly'),
  'schedule is resumed': ({ shard }) => new ScheduleStore(shard).resume('paused'),
  'schedule is removed': ({ shard }) => new ScheduleStore(shard).remove('hourly'),
  'schedules are due': ({ shard }) => new ScheduleStore(shard).due(10, 0),
  'schedule is deferred': scene =>
    withRecord(scene, 'hourly', (store, record) => store.defer('hourly', record, 'no', 1)),
  'schedule fires': scene =>
    withRecord(scene, 'overdue', (store, record) => {
      const step = { tickMs: record.nextMs, nextMs: 9e12, late: false, catchesUp: false };
      return store.fire({ name: 'overdue', record }, step, 'default', undefined, 0);
    }),
  'ticker is claimed': scene =>
    withRecord(scene, 'ticker', (store, record) => store.claim('ticker', record, 'n', '', 1000)),
  'ticker is finished': ({ shard, claim }) => {
    const step = { tickMs: 1, nextMs: 9e12, late: true, catchesUp: false };
    return new ScheduleStore(shard).finish('ticker', claim, step, 'no');
  },
  reassert: async scene => {
    await quarantine(scene);
    return scene.shard.reassert('w', 1, ['lost', 1, 'running', 1, '', 'default', 'd', TERMS, 'x']);
  },
  'reassert of one that waits': async scene => {
    await quarantine(scene);
    return scene.shard.reassert('w', 1, ['owned', 9e15, 'pending', 1, '', 'default', 'd', TERMS, 'x']);
  },
  resettle: ({ shard, token }) => shard.resettle(['owned', 'id-owned', token, 'completed', '-', '', '', 1]),
  repair: ({ link, pool }) => repairPool(link, pool),
  'repair that deletes': ({ link, pool }) => repairPool(link, pool, { broken: 'delete' }),
  leave: ({ shard }) => shard.leave('idle', 1),
  drain: ({ shard }) => shard.drain('w'),
  reap: async ({ shard, link, pool }) => {
    await passTime(link, pool, 700_000);
    await shard.reap(10, 0.5);
  },
};

const TERMS = '1 1 1 1 - - -';

/** Acts on a record as one that read it before it was overwritten. */
async function withRecord(
  { shard, records }: Scene,
  name: string,
  act: (store: ScheduleStore, record: ScheduleRecord) => Promise<unknown>,
): Promise<unknown> {
  return act(new ScheduleStore(shard), records.get(name) as ScheduleRecord);
}

/** As after a failover: what is asserted is taken. */
async function quarantine({ link, pool }: Scene): Promise<void> {
  const { config } = link.keys.pool(pool);
  if (String(await link.commands.call('TYPE', config)) === 'hash')
    await link.commands.call('HSET', config, 'quarantine-until', '9000000000000000');
}

describe('keys that hold values of other types', () => {
  const fixture = usePool();

  async function setUp(pool: string): Promise<Scene & { keys: Keys }> {
    const link = await fixture.look();
    const shard = await openShard(link, pool);
    await joinWorker(shard, 'w');
    await joinWorker(shard, 'idle');
    const { epoch } = await shard.members('', 'default', 0);
    const owned = async (key: string) => {
      const reply = await shard.dispatch(request(key, { worker: 'w', epoch }));
      if (reply.status !== 'ASSIGNED') throw new Error(reply.status);
      return reply.token;
    };
    await shard.fail('w', 'died', await owned('died'), 'no', 0, true);
    const token = await owned('owned');
    await owned('second');
    await shard.notify('n', 'owned', 'note');
    await shard.dispatch(request('waits', { delayMs: 600_000 }));
    await shard.dispatch(request('due'));
    await shard.dispatch(request('known', { id: 'known', digest: 'd', rememberMs: 60_000 }));
    await putSchedules(shard);
    const store = new ScheduleStore(shard);
    await store.put('overdue', { timing: { everyMs: 1000 }, settings, job: { key: 'ticked', payload: '' } }, false);
    await link.commands.call('HSET', link.keys.pool(pool).schedule('overdue'), 'next', 1000);
    const records = new Map<string, ScheduleRecord>();
    for (const name of ['hourly', 'overdue', 'ticker']) {
      const { record } = await store.read(name);
      if (record) records.set(name, record);
    }
    const claimed = await store.claim('ticker', records.get('ticker') as ScheduleRecord, 'n', '', 60_000);
    if (claimed.status !== 'CLAIMED') throw new Error(claimed.status);
    // Looks so seldom that it does nothing of its own meanwhile.
    const client = await PoolClient.open(link, pool, { refreshMs: 600_000 });
    return { link, pool, shard, client, token, records, claim: claimed.claim, keys: link.keys.pool(pool) };
  }

  /** Whether the call needs the key, of a pool of its own: then its error says so, and nothing was written. */
  async function isRefused(name: string, call: Call, keyOf: (keys: Keys) => string, pool: string): Promise<boolean> {
    const scene = await setUp(pool);
    const { link, keys, client } = scene;
    const key = keyOf(keys);
    await link.commands.call('DEL', key);
    await link.commands.call('SET', key, 'foreign');
    // Every script may move the clock; some calls need a quarantine.
    const dump = () => dumpKeys(link, keys.base, ['clock', 'last-time', 'quarantine-until']);
    const before = await dump();
    const error = await call(scene).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    const refused = error instanceof WrongTypeError;
    if (refused) {
      expect(error.message, name).toContain(`"${key}"`);
      expect(await dump(), name).toEqual(before);
    } else if (error !== undefined && !(error instanceof QuarantineError)) {
      // An outcome, such as NotFoundError: the call does not need this key. Or the client found the settings gone, and made
      // the pool anew under the repair that took them away.
      expect(error, name).toMatchObject({ kind: 'outcome' });
    }
    await client.close();
    return refused;
  }

  it.each(Object.entries(KEYS))(
    '%s: a typed error names it, and nothing is half written',
    { timeout: 30_000 },
    async (_, keyOf) => {
      fixture.expectViolations();
      const calls = Object.entries(CALLS);
      const refused: string[] = [];
      const lane = async (at: number): Promise<void> => {
        for (; at < calls.length; at += LANES) {
          const [name, call] = calls[at] as (typeof calls)[number];
          if (await isRefused(name, call, keyOf, `${fixture.pool}-${String(at).padStart(3, '0')}`)) refused.push(name);
        }
      };
      await Promise.all(Array.from({ length: LANES }, (_, at) => lane(at)));
      expect(refused.length).toBeGreaterThan(0);
    },
  );

  it('a worker goes on in its own time, whichever of its keys it is', { timeout: 60_000 }, async () => {
    fixture.expectViolations();
    /** Calls a second of a worker whose pool has lost that key, and what it told. */
    async function live(
      keyOf: (keys: Keys) => string,
      pool: string,
    ): Promise<{ perSecond: number; errors: unknown[] }> {
      const link = await fixture.connect();
      const node = await PoolNode.join(link, pool, { reconcileMs: 100, settleMs: 50, closeTimeoutMs: 1500 });
      fixture.defer(() => node.close());
      const errors: unknown[] = [];
      node.events.on('error', error => errors.push(error));
      const worker = await node.addWorker({ id: 'w', handler: { start() {} } });
      worker.events.on('error', error => errors.push(error));
      await node.dispatch('owned', 'x', { wait: 'started' });
      const key = keyOf(link.keys.pool(pool));
      const { commands } = await fixture.look();
      await commands.call('DEL', key);
      await commands.call('SET', key, 'foreign');
      const before = link.commands.sentCount;
      const beganMs = performance.now();
      await until(() => performance.now() - beganMs > 1500, 'some rounds of the background tasks');
      const perSecond = (link.commands.sentCount - before) / ((performance.now() - beganMs) / 1000);
      await commands.call('DEL', key);
      return { perSecond, errors };
    }

    const lives = await Promise.all(
      Object.entries(KEYS).map(async ([what, keyOf], at) => ({
        what,
        ...(await live(keyOf, `${fixture.pool}-${at}`)),
      })),
    );
    // It compares ten times a second here.
    expect(lives.filter(({ perSecond }) => perSecond > 60)).toEqual([]);
    for (const { what, errors } of lives) for (const error of errors) expect(error, what).toBeInstanceOf(PonosError);
  });
});
