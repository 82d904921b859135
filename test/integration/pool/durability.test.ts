import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NotReplicatedError, PoolClient, PoolNode, RedisLink } from '../../../src/engine/index.ts';
import { TcpProxy } from '../../support/proxy.ts';
import { ClusterServers } from '../../support/topology/cluster.ts';
import { ask } from '../../support/topology/commands.ts';
import { ReplicatedPair } from '../../support/topology/pair.ts';
import { until } from '../../support/until.ts';

const DURABLE = { replicas: 1, timeoutMs: 2000 };
/** For what will not be replicated. */
const BRIEF = { replicas: 1, timeoutMs: 150 };

let ends: (() => unknown)[] = [];
beforeEach(() => {
  ends = [];
});
afterEach(async () => {
  for (const end of ends.reverse()) await end();
});

async function connect(url: string): Promise<RedisLink> {
  const link = await RedisLink.connect({ url, commandTimeoutMs: 2000 });
  ends.push(() => link.close());
  return link;
}

async function open(url: string, durability = DURABLE): Promise<PoolClient> {
  const link = await connect(url);
  const client = await PoolClient.open(link, 'jobs', { create: true, lease: 'fast', durability });
  ends.push(() => client.close());
  return client;
}

async function waitCalls(pair: ReplicatedPair): Promise<number> {
  return Number(/cmdstat_wait:calls=(\d+)/.exec(await ask(pair.master, 'INFO', 'commandstats'))?.[1] ?? 0);
}

describe('requests that must reach replicas', () => {
  let pair: ReplicatedPair;
  beforeEach(async () => {
    pair = await ReplicatedPair.start();
    ends.push(() => pair.stop());
  });

  it('are told as done when a replica has them', async () => {
    const client = await open(pair.url);
    expect(await client.dispatch('one', 'payload')).toMatchObject({ key: 'one', status: 'accepted' });
    await client.notify('one', 'note');
    expect(await client.stop('one')).toEqual({ status: 'stopped' });
  });

  it('are never told as done when no replica has them, and stand nevertheless', async () => {
    const client = await open(pair.url, BRIEF);
    await client.dispatch('before', '', { durability: DURABLE });
    pair.cutReplication();
    const error = await client.dispatch('one', 'payload', { id: 'mine' }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(NotReplicatedError);
    expect(error).toMatchObject({ code: 'NOT_REPLICATED', id: 'mine', replicas: 0 });
    expect(await client.where('one')).toMatchObject({ recorded: true });
    await expect(client.notify('one', 'note')).rejects.toMatchObject({ code: 'NOT_REPLICATED' });
    const unnamed = (await client.dispatch('two').catch((thrown: unknown) => thrown)) as NotReplicatedError;
    expect(unnamed.message).toContain(`the dispatch of job "two" is done under id "${unnamed.id}"`);
    // Under the id that was made up for it, and is told, it is the same; under another one the key has a job.
    await expect(client.dispatch('two', '', { id: unnamed.id })).rejects.toMatchObject({ code: 'NOT_REPLICATED' });
    await expect(client.dispatch('two')).rejects.toMatchObject({ code: 'EXISTS' });
    // The same again finds the job there, and a replica that does not have it.
    await expect(client.dispatch('one', 'payload', { id: 'mine' })).rejects.toMatchObject({ code: 'NOT_REPLICATED' });
    await expect(client.dispatch('one', 'payload', { wait: 'started' })).rejects.toMatchObject({ code: 'EXISTS' });
    await expect(client.stop('one', { id: 'stop' })).rejects.toMatchObject({ code: 'NOT_REPLICATED' });
    await expect(client.stop('one', { id: 'stop' })).rejects.toMatchObject({ code: 'NOT_REPLICATED' });
    pair.replication.mode = 'pass';
    await until(
      () => client.stop('one', { id: 'stop', durability: DURABLE }).catch(() => undefined),
      'the replica to have it',
    );
  });

  it('are not told as done by a new connection, which has written nothing yet', async () => {
    const relay = await TcpProxy.start(pair.master.port);
    ends.push(() => relay.stop());
    const client = await open(relay.url, BRIEF);
    await client.dispatch('before', '', { durability: DURABLE });
    pair.cutReplication();
    // The reply to WAIT is lost with its connection; the same dispatch goes out again over a new one.
    const dispatching = client.dispatch('one');
    await until(
      async () => (await waitCalls(pair)) >= 1 && (await client.where('one')).recorded,
      'the job to be there',
    );
    relay.cut();
    await expect(dispatching).rejects.toMatchObject({ code: 'NOT_REPLICATED' });
  });

  it('of one moment share one wait', async () => {
    const client = await open(pair.url);
    await client.dispatch('first');
    const before = await waitCalls(pair);
    await Promise.all(Array.from({ length: 200 }, (_, i) => client.dispatch(`job-${i}`)));
    expect((await waitCalls(pair)) - before).toBeLessThan(20);
  });

  it('that were done are there after the replica has taken over, at whatever moment the master went', async () => {
    const client = await open(pair.url, BRIEF);
    const done = new Set<string>();
    /** Dispatches begun when the replica could not hear of them any more, and how they ended. */
    const late = { done: 0, refused: 0 };
    let going = true;
    let cut = false;
    const dispatching = Promise.all(
      Array.from({ length: 8 }, async (_, lane) => {
        for (let i = 0; going; i++) {
          const key = `job-${lane}-${i}`;
          const isLate = cut;
          await client.dispatch(key).then(
            () => {
              done.add(key);
              if (isLate) late.done++;
            },
            () => {
              if (isLate) late.refused++;
            },
          );
        }
      }),
    );
    await until(() => done.size > 200, 'some to be done');
    pair.cutReplication();
    cut = true;
    await until(() => late.refused >= 8, 'dispatches to be refused');
    await pair.killMaster();
    await pair.promote();
    going = false;
    await dispatching;
    expect(late.done).toBe(0);
    const look = await open(pair.url, { replicas: 0, timeoutMs: 1 });
    for (const key of done) expect(await look.where(key), key).toMatchObject({ recorded: true });
  });

  it('say so of a bad option', async () => {
    const client = await open(pair.url);
    await expect(client.dispatch('one', '', { durability: { replicas: -1 } })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
    });
    await expect(client.dispatch('one', '', { durability: { copies: 1 } as never })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
    });
  });
});

describe('requests that must reach replicas, in a cluster', () => {
  it('are counted at the node that has the shard, also after it changed', async () => {
    const cluster = await ClusterServers.start();
    ends.push(() => cluster.stop());
    const client = await open(cluster.url, { replicas: 1, timeoutMs: 1000 });
    const link = await connect(cluster.url);
    const node = await PoolNode.join(link, 'jobs', { lease: 'fast' });
    ends.push(() => node.close());
    await node.addWorker({ handler: { start() {} } });
    expect(await client.dispatch('one', '', { wait: 'started' })).toMatchObject({ status: 'started' });
    const slot = await cluster.slotOf(link.keys.pool('jobs').config);
    await cluster.moveSlot(slot);
    await client.dispatch('two');
    await cluster.killMaster(slot);
    // Its replica is the master now, and has none.
    const codeOf = (key: string) => client.dispatch(key).catch(error => (error as { code: string }).code);
    await until(async () => (await codeOf('three')) === 'NOT_REPLICATED', 'the other node to answer');
    expect(await codeOf('four')).toBe('NOT_REPLICATED');
    expect(await client.where('two')).toMatchObject({ recorded: true });
  });
});
