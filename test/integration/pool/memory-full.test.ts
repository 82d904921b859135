import { describe, expect, it } from 'vitest';
import { OutOfMemoryError } from '../../../src/engine/core/errors.ts';
import type { Job } from '../../../src/engine/pool/handler.ts';
import { dumpKeys } from '../../support/dump.ts';
import { TEST_LEASE, usePool } from '../../support/pool.ts';
import { until } from '../../support/until.ts';

/** Written by what goes on whatever is admitted: clock, leases, the ledger. */
const ALWAYS_CHANGING = [':members', ':ledger'];

describe('when the memory of Redis is full', () => {
  const fixture = usePool();

  it('nothing is admitted or half written; what runs goes on, moves and ends; then all is as before', {
    timeout: 60_000,
  }, async () => {
    const lease = TEST_LEASE;
    const alive = new Map<string, string>();
    const gates = new Map<string, { open: () => void; fail: (error: Error) => void }>();
    const fences: string[] = [];
    const addWorker = async (id: string) => {
      const node = await fixture.node({ lease });
      const worker = await node.addWorker({
        id,
        handler: {
          async start(job: Job) {
            if (job.key.startsWith('gated')) {
              await new Promise<void>((open, fail) => gates.set(job.key, { open, fail }));
            }
            alive.set(job.key, id);
          },
          stop(job: Job) {
            if (alive.get(job.key) === id) alive.delete(job.key);
          },
        },
      });
      worker.events.on('fenced', () => fences.push(id));
      return node;
    };
    const nodes = [await addWorker('w1'), await addWorker('w2'), await addWorker('w3')] as const;
    const client = await fixture.client();
    const services = Array.from({ length: 30 }, (_, at) => `service-${at}`);
    await Promise.all(services.map(key => client.dispatch(key)));
    await until(() => services.every(key => alive.has(key)), 'all to run');
    for (const key of ['gated-1', 'gated-2', 'gated-3'])
      await client.dispatch(key, '', { attempts: 2, backoffMs: 100 });
    await until(() => gates.size === 3, 'three to be about to start');

    const look = await fixture.look();
    const keys = look.keys.pool(fixture.pool);
    const stateOf = async (key: string) => {
      const [state] = (await look.commands.call('HMGET', keys.job(key), 'state')) as (Buffer | null)[];
      return state && String(state);
    };
    const dump = async () => {
      const all = await dumpKeys(look, keys.base, ['clock', 'last-time']);
      return new Map([...all].filter(([name]) => !ALWAYS_CHANGING.some(ending => name.endsWith(ending))));
    };
    // The first renewal of each worker leaves a mark.
    const marks = ['w1', 'w2', 'w3'].map(id => `proven:${id}`);
    const haveRenewed = async () => {
      const found = (await look.commands.call('HMGET', keys.memberInfo, ...marks)) as (Buffer | null)[];
      return found.every(mark => mark !== null);
    };
    await until(haveRenewed, 'every worker to renew once');
    const before = await dump();
    await look.commands.call('CONFIG', 'SET', 'maxmemory', '1mb');

    // Admission is refused, with nothing left behind.
    for (const admit of [
      () => client.dispatch('new', 'x'),
      () => client.dispatch('new', 'x', { id: 'an-id', wait: 'completed' }),
      () => client.dispatch('late', 'x', { delayMs: 10_000 }),
      () => client.notify('service-0', 'x'),
    ]) {
      await expect(admit()).rejects.toBeInstanceOf(OutOfMemoryError);
    }
    expect(await dump()).toEqual(before);

    // Leases are renewed for longer than one lasts.
    const fullAtMs = performance.now();
    await until(() => performance.now() - fullAtMs > lease.leaseMs * 1.5, 'a lease to pass');
    expect(fences).toEqual([]);
    expect(services.every(key => alive.has(key))).toBe(true);

    // A start is recorded; a failure is retried; a stop is carried out.
    gates.get('gated-1')?.open();
    await until(async () => (await stateOf('gated-1')) === 'running', 'the start to be recorded');
    gates.get('gated-2')?.fail(new Error('as asked'));
    gates.delete('gated-2');
    await until(() => gates.has('gated-2'), 'the second attempt');
    gates.get('gated-2')?.fail(new Error('as asked'));
    await until(async () => (await look.commands.call('EXISTS', keys.deadJob('gated-2'))) === 1, 'its death');
    await client.stop('service-0', { wait: true });
    expect(alive.has('service-0')).toBe(false);
    gates.get('gated-3')?.open();
    await until(async () => (await stateOf('gated-3')) === 'running', 'the start to be recorded');

    // One worker leaves in good order, another is lost: the third has everything.
    const rest = [...services.slice(1), 'gated-1'];
    const endedNode = nodes[1];
    await endedNode.close();
    await until(() => rest.every(key => alive.has(key) && alive.get(key) !== 'w2'), 'the jobs to move');
    expect(fences).toEqual([]);
    fixture.partition(nodes[2]);
    await until(() => rest.every(key => alive.get(key) === 'w1'), 'the jobs to be taken over', { limitMs: 15_000 });
    expect(await look.commands.call('ZCARD', keys.members)).toBe(1);

    // A worker may come, for somebody must run what there is.
    await addWorker('w4');
    await until(() => rest.some(key => alive.get(key) === 'w4'), 'jobs to move to it');

    await look.commands.call('CONFIG', 'SET', 'maxmemory', '0');
    await client.dispatch('new', 'x', { wait: 'started' });
    expect(alive.has('new')).toBe(true);
    expect(fences.filter(id => id !== 'w3')).toEqual([]);
  });
});
