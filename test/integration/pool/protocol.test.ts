import { describe, expect, it } from 'vitest';
import { upgradePool } from '../../../src/engine/admin/upgrade.ts';
import type { PoolNode } from '../../../src/engine/pool/node.ts';
import type { PoolNodeOptions } from '../../../src/engine/pool/options.ts';
import { TEST_LEASE, usePool } from '../../support/pool.ts';
import { Recorder } from '../../support/recorder.ts';
import { until } from '../../support/until.ts';

const OLD = { oldest: 1, newest: 1 };
const NEW = { oldest: 1, newest: 2 };
const LATER = { oldest: 2, newest: 3 };

describe('two releases in one pool', () => {
  const fixture = usePool();
  const KEYS = Array.from({ length: 30 }, (_, at) => `job-${at}`);

  async function worker(recorder: Recorder, id: string, options: PoolNodeOptions): Promise<PoolNode> {
    const node = await fixture.node({ lease: TEST_LEASE, ...options });
    await node.addWorker({ id, handler: recorder.service(id) });
    return node;
  }

  async function upgrade(dryRun = false) {
    return upgradePool(await fixture.look(), fixture.pool, { dryRun, protocols: NEW });
  }

  it.each([1, 2])(
    'work side by side, the newer one may be taken back, and then takes over: %i shards',
    async shards => {
      const recorder = new Recorder();
      const everywhere = (test: (id: string) => boolean) =>
        until(
          () => recorder.runningCount === KEYS.length && KEYS.every(key => test(String(recorder.owner(key)))),
          'moves',
        );
      const old = await worker(recorder, 'old', { protocols: OLD, shards });
      await Promise.all(KEYS.slice(0, 15).map(key => old.dispatch(key, '', { wait: 'started' })));
      const first = await worker(recorder, 'first', { protocols: NEW });
      await Promise.all(KEYS.slice(15).map(key => first.dispatch(key, '', { wait: 'started' })));
      await until(
        () => recorder.runningOn('first').length > 5 && recorder.runningCount === KEYS.length,
        'both to work',
      );
      expect(recorder.runningOn('old').length).toBeGreaterThan(0);
      await first.close();
      await everywhere(id => id === 'old');
      const second = await worker(recorder, 'second', { protocols: NEW });
      const keptBack = { code: 'PROTOCOL_KEPT_BACK', message: expect.stringContaining('its workers "old" (1) do not') };
      await expect(upgrade()).rejects.toMatchObject(keptBack);
      for (const leaving of old.workers) await leaving.drain();
      await everywhere(id => id === 'second');
      expect(await upgrade(true)).toEqual({ from: 1, to: 2 });
      await old.dispatch('by the old one');
      await old.stop('by the old one', { wait: true });

      expect(await upgrade()).toEqual({ from: 1, to: 2 });
      const refused = { code: 'PROTOCOL_MISMATCH', hint: expect.stringContaining('newer release') };
      await Promise.all(KEYS.map(key => expect(old.dispatch(`${key} again`)).rejects.toMatchObject(refused)));
      await expect(old.addWorker({ id: 'old', handler: recorder.service('old') })).rejects.toMatchObject(refused);
      await expect(fixture.node({ protocols: OLD })).rejects.toMatchObject(refused);
      expect(await upgrade()).toEqual({ from: 2, to: 2 });
      // It went on as if nothing had been: no fence, no loss.
      await second.dispatch('after', '', { wait: 'started' });
      expect([...second.workers].map(({ state, incarnation }) => ({ state, incarnation }))).toEqual([
        { state: 'member', incarnation: 1 },
      ]);
      expect(recorder.runningOn('second').length).toBe(KEYS.length + 1);
      await worker(recorder, 'later', { protocols: LATER });
      await until(() => recorder.runningOn('later').length > 5, 'the next release to take its share');
      expect(recorder.overlaps).toEqual([]);
    },
  );

  it('the pool is not raised while a worker may come back that does not speak the version', async () => {
    const recorder = new Recorder();
    const old = await worker(recorder, 'old', { protocols: OLD });
    fixture.partition(old);
    await expect(upgrade()).rejects.toMatchObject({ code: 'PROTOCOL_KEPT_BACK' });
    await worker(recorder, 'new', { protocols: NEW });
    await until(() => upgrade().catch(() => undefined), 'the lease of the old one to be reaped');
    const failed = until(
      () => old.events.once('error').then(error => (error as { code?: string }).code === 'PROTOCOL_MISMATCH'),
      'the old one to be refused',
    );
    fixture.heal(old);
    await failed;
    expect([...old.workers].map(({ state }) => state)).toEqual(['fenced']);
  });

  it('what a later release knows of a worker goes with it', async () => {
    const recorder = new Recorder();
    const stays = await worker(recorder, 'stays', { protocols: OLD });
    const leaves = await worker(recorder, 'leaves', { protocols: NEW });
    const dies = await worker(recorder, 'dies', { protocols: NEW });
    const link = await fixture.look();
    const { memberInfo } = link.keys.pool(fixture.pool);
    const known = async () => (await link.commands.call('HKEYS', memberInfo)) as Buffer[];
    await link.commands.call('HSET', memberInfo, ...['stays', 'leaves', 'dies'].flatMap(id => [`later:${id}`, 'more']));
    await leaves.close();
    fixture.partition(dies);
    const left = () => known().then(fields => new Set(fields.map(field => String(field).split(':')[1])));
    await until(async () => (await left()).size === 1, 'the lease of the other one to be reaped');
    expect((await known()).map(String)).toContain('later:stays');
    await stays.close();
    expect(await known()).toEqual([]);
  });

  it('a pool that was lost is made again in the version it had', async () => {
    const recorder = new Recorder();
    const old = await worker(recorder, 'old', { protocols: OLD });
    const late = await worker(recorder, 'new', { protocols: NEW });
    await Promise.all(KEYS.map(key => old.dispatch(key, '', { wait: 'started' })));
    const link = await fixture.look();
    await link.commands.call('FLUSHALL');
    await fixture.client({ protocols: NEW });
    await until(async () => {
      const places = await Promise.all(KEYS.map(key => late.where(key).catch(() => undefined)));
      return places.every(place => place?.recorded);
    }, 'the records to be back');
    const [protocol] = (await link.commands.call('HMGET', link.keys.pool(fixture.pool).config, 'protocol')) as Buffer[];
    expect(String(protocol)).toBe('1');
    for (const key of KEYS) expect(recorder.of(key)).toHaveLength(1);
    await expect(upgrade()).rejects.toMatchObject({ code: 'POOL_QUARANTINED' });
  });
});
