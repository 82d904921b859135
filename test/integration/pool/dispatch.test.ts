import { describe, expect, it } from 'vitest';
import { PoolClient } from '../../../src/engine/pool/client.ts';
import type { Job } from '../../../src/engine/pool/handler.ts';
import { usePool } from '../../support/pool.ts';
import { until } from '../../support/until.ts';

describe('dispatching', () => {
  const fixture = usePool();

  it('is refused for a pool nobody made', async () => {
    const link = await fixture.connect();
    await expect(PoolClient.open(link, fixture.pool)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('gives a task to a worker and its result back', async () => {
    const node = await fixture.node();
    const seen: Job[] = [];
    const worker = await node.addWorker({
      handler: {
        run: job => {
          seen.push(job);
          return Buffer.concat([job.payload, Buffer.from('!')]);
        },
      },
    });
    const client = await fixture.client();
    const done = await client.dispatch('a', Buffer.from([0, 255, 10]), { wait: 'completed' });
    expect(done).toMatchObject({
      key: 'a',
      status: 'completed',
      worker: worker.id,
      result: Buffer.from([0, 255, 10, 33]),
    });
    expect(seen.map(({ key, attempt, group, token }) => ({ key, attempt, group, token }))).toEqual([
      { key: 'a', attempt: 1, group: 'default', token: done.token },
    ]);
  });

  it('resolves when a service is up, and the key is taken then', async () => {
    const node = await fixture.node();
    const worker = await node.addWorker({ handler: { start: () => {} } });
    const started = await node.dispatch('svc', 'x', { wait: 'started' });
    expect(started).toMatchObject({ status: 'started', worker: worker.id });
    await expect(node.dispatch('svc', 'x')).rejects.toMatchObject({ code: 'EXISTS' });
    expect(await node.where('svc')).toEqual({
      worker: worker.id,
      preferred: worker.id,
      group: 'default',
      recorded: true,
    });
    expect(await node.owner('svc')).toBe(worker.id);
  });

  it('never fails for lack of workers: the job waits for one of its group', async () => {
    const client = await fixture.client();
    expect(await client.dispatch('early', 'x')).toMatchObject({ status: 'accepted' });
    expect(await client.where('early')).toEqual({ worker: null, preferred: null, group: 'default', recorded: true });
    const node = await fixture.node();
    const worker = await node.addWorker({ handler: { start: () => {} } });
    const event = await worker.events.once('started');
    expect(event).toMatchObject({ key: 'early', attempt: 1 });
  });

  it('accepts exactly as many jobs as the limit, whoever asks', async () => {
    const clients = await Promise.all([1, 2, 3].map(() => fixture.client({ limit: 100 })));
    const all = Array.from({ length: 200 }, (_, i) => clients[i % 3]?.dispatch(`k${i}`, ''));
    const results = await Promise.allSettled(all);
    const refused = results.filter(result => result.status === 'rejected');
    expect(refused.length).toBe(100);
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'POOL_FULL' });
    const [first] = clients as [PoolClient];
    const accepted = results.findIndex(result => result.status === 'fulfilled');
    await first.stop(`k${accepted}`);
    await first.dispatch('one more');
    await expect(first.dispatch('one too many')).rejects.toMatchObject({ code: 'POOL_FULL' });
  });

  it('accepts one of fifty at once for one key', async () => {
    const clients = await Promise.all(Array.from({ length: 10 }, () => fixture.client()));
    const results = await Promise.allSettled(
      Array.from({ length: 50 }, (_, i) => clients[i % 10]?.dispatch('same', `${i}`)),
    );
    expect(results.filter(result => result.status === 'fulfilled').length).toBe(1);
    const codes = results.flatMap(result =>
      result.status === 'rejected' ? [(result.reason as { code: string }).code] : [],
    );
    expect(new Set(codes)).toEqual(new Set(['EXISTS']));
  });

  it('answers the same id the same, and refuses it for anything else', async () => {
    const node = await fixture.node();
    let runs = 0;
    await node.addWorker({ handler: { run: () => String(++runs) } });
    const first = await node.dispatch('k', 'x', { id: 'once', wait: 'completed' });
    const again = await node.dispatch('k', 'x', { id: 'once', wait: 'completed' });
    expect(String(again.result)).toBe(String(first.result));
    expect(runs).toBe(1);
    await expect(node.dispatch('k', 'y', { id: 'once' })).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(node.dispatch('other', 'x', { id: 'once' })).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('does not start a job before its delay is over', async () => {
    const node = await fixture.node();
    await node.addWorker({ handler: { run: () => {} } });
    const startMs = performance.now();
    await node.dispatch('later', '', { delayMs: 300, wait: 'completed' });
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(295);
  });

  it('tries a failing job again with back-off, and buries it after the last attempt', async () => {
    const node = await fixture.node();
    const attempts: number[] = [];
    await node.addWorker({
      handler: {
        run: job => {
          attempts.push(job.attempt);
          throw new Error(`no luck ${job.attempt}`);
        },
      },
    });
    const failing = node.dispatch('bad', 'p', { attempts: 3, backoffMs: 20, wait: 'completed' });
    await expect(failing).rejects.toMatchObject({
      code: 'HANDLER_FAILED',
      message: expect.stringContaining('no luck 3'),
    });
    expect(attempts).toEqual([1, 2, 3]);
    // The key is free again.
    await node.dispatch('bad', 'p', { attempts: 1 });
  });

  it('counts a start that throws as a failed attempt', async () => {
    const node = await fixture.node();
    const attempts: number[] = [];
    await node.addWorker({
      handler: {
        async start(job) {
          attempts.push(job.attempt);
          if (job.attempt < 3) throw new Error('not yet');
        },
      },
    });
    const done = await node.dispatch('svc', '', { backoffMs: 1, wait: 'started' });
    expect(done.status).toBe('started');
    expect(attempts).toEqual([1, 2, 3]);
  });

  it('ends a service that completes or fails by itself', async () => {
    const node = await fixture.node();
    await node.addWorker({
      handler: {
        start(job) {
          if (job.attempt === 1) queueMicrotask(() => job.fail(new Error('broke')));
          else setTimeout(() => job.complete('bye'), 20);
        },
      },
    });
    const done = await node.dispatch('svc', '', { backoffMs: 1, wait: 'completed' });
    expect(String(done.result)).toBe('bye');
  });

  it('gives up waiting in time and says that the job stands', async () => {
    const client = await fixture.client();
    await expect(client.dispatch('k', '', { wait: 'started', timeoutMs: 50 })).rejects.toMatchObject({
      code: 'TIMEOUT',
    });
    expect(await client.where('k')).toMatchObject({ recorded: true });
  });

  it('learns an outcome whose message was lost', async () => {
    const node = await fixture.node();
    const { promise, resolve: finish } = Promise.withResolvers<string>();
    await node.addWorker({ handler: { run: () => promise } });
    const client = await fixture.client();
    const done = client.dispatch('k', '', { wait: 'completed' });
    await until(async () => (await node.owner('k')) !== undefined, 'the assignment');
    const look = await fixture.look();
    await look.commands.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    finish('result');
    expect(String((await done).result)).toBe('result');
  });

  it.each([
    ['bytes that are no text', 'a\udcff\udc80'],
    ['an emoji', '🜁 tenant'],
    ['separators and a NUL', 'a:{b}\n\0= *?[x]'],
    ['a name of the language', '__proto__'],
  ])('keeps a key of %s as it is', async (_what, key) => {
    const node = await fixture.node();
    const seen: string[] = [];
    await node.addWorker({
      handler: { start: job => void seen.push(job.key), notify: (job, note) => void seen.push(`${job.key} ${note}`) },
    });
    await node.dispatch(key, '', { wait: 'started' });
    await node.notify(key, 'hello');
    await until(() => seen.length === 2, 'the notification');
    expect(seen).toEqual([key, `${key} hello`]);
    await node.stop(key, { wait: true });
    expect(await node.where(key)).toMatchObject({ recorded: false });
  });

  it('refuses what it cannot keep, before anything is written', async () => {
    const client = await fixture.client({ maxPayloadBytes: 10 });
    await expect(client.dispatch('')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(client.dispatch('k'.repeat(1025))).rejects.toMatchObject({ code: 'KEY_TOO_LARGE' });
    await expect(client.dispatch('é'.repeat(513))).rejects.toMatchObject({ code: 'KEY_TOO_LARGE' });
    await expect(client.dispatch('k', 'x'.repeat(11))).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    await expect(client.dispatch('k', '', { id: 'two words' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(client.dispatch('k', '', { attempts: -1 })).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    expect(await client.where('k')).toMatchObject({ recorded: false });
  });

  it('carries a payload that is too large for a hint', async () => {
    const node = await fixture.node();
    await node.addWorker({ handler: { run: job => String(job.payload.length) } });
    const done = await node.dispatch('big', Buffer.alloc(1_000_000), { wait: 'completed' });
    expect(String(done.result)).toBe('1000000');
  });
});

describe('a Redis that may evict', () => {
  const fixture = usePool({ args: ['--maxmemory-policy', 'allkeys-lru'] });

  it('is refused unless that is allowed', async () => {
    await expect(fixture.node()).rejects.toMatchObject({ code: 'UNSAFE_EVICTION_POLICY' });
    const node = await fixture.node({ allowUnsafeEviction: true });
    expect(node.pool).toBe(fixture.pool);
  });
});
