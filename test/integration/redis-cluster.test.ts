import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/engine/core/ids.ts';
import { RedisLink } from '../../src/engine/redis/link.ts';
import { ClusterServers } from '../support/topology/cluster.ts';
import { until } from '../support/until.ts';

describe('a link to a cluster that changes', () => {
  let cluster: ClusterServers;
  beforeAll(async () => {
    cluster = await ClusterServers.start();
  });
  afterAll(() => cluster.stop());

  /** Somebody listens to a channel, somebody else writes; `name` chooses the slot. */
  async function listen(name: string) {
    const [listener, writer] = [
      await RedisLink.connect({ url: cluster.url }),
      await RedisLink.connect({ url: cluster.url }),
    ];
    const key = `ponos:{${name}}:data`;
    const channel = `ponos:{${name}}:events`;
    let [readyCount, heard] = [0, ''];
    const subscription = await listener.subscriptions.subscribe(channel, {
      message: message => {
        heard = String(message);
      },
      ready: () => {
        readyCount++;
      },
    });
    return {
      slot: await cluster.slotOf(key),
      key,
      writer,
      readyCount: () => readyCount,
      /** Resolves when a message has come through that was sent from now on. */
      async untilHeard() {
        const word = newId();
        await until(async () => {
          await writer.commands.call('SPUBLISH', channel, word).catch(() => {});
          return heard === word;
        }, 'a message to be heard');
      },
      async end() {
        await subscription.close();
        await Promise.all([listener.close(), writer.close()]);
      },
    };
  }

  it('goes on hearing a channel whose slot moves to another node, and looks for what it missed', async () => {
    const { slot, key, writer, readyCount, untilHeard, end } = await listen(newId());
    await untilHeard();
    await writer.commands.call('SET', key, 'kept');
    const before = readyCount();
    await cluster.moveSlot(slot);
    await until(() => readyCount() > before, 'it to look for what it missed');
    await untilHeard();
    expect(String(await writer.commands.call('GET', key))).toBe('kept');
    await end();
  });

  it('goes on hearing a channel when a replica takes its slot over in good order', async () => {
    const { slot, readyCount, untilHeard, end } = await listen(newId());
    await untilHeard();
    const before = readyCount();
    await cluster.failover(slot);
    await untilHeard();
    expect(readyCount()).toBeGreaterThanOrEqual(before);
    await end();
  });

  it('goes on hearing a channel whose node was killed, and looks for what it missed', async () => {
    const { slot, readyCount, untilHeard, end } = await listen(newId());
    await untilHeard();
    const before = readyCount();
    const killed = await cluster.killMaster(slot);
    await until(() => readyCount() > before, 'it to look for what it missed');
    await untilHeard();
    await killed.up();
    await cluster.untilWell();
    await untilHeard();
    expect(readyCount()).toBeGreaterThan(before);
    await end();
  });

  it('carries commands out while their slot is between two nodes', async () => {
    const { slot, key, writer, end } = await listen(newId());
    const keys = Array.from({ length: 20 }, (_, i) => `${key}:${i}`);
    for (const each of keys) await writer.commands.call('SET', each, '0');
    let moved = false;
    const moving = cluster.moveSlot(slot, { pauseMs: 300 }).finally(() => {
      moved = true;
    });
    let count = 0;
    while (!moved) {
      await writer.commands.call('INCR', keys[count % keys.length] as string);
      count++;
    }
    expect(await moving).toMatchObject({ keyCount: 20 });
    const values = await Promise.all(keys.map(each => writer.commands.call('GET', each)));
    expect(values.map(Number).reduce((sum, value) => sum + value, 0)).toBe(count);
    await end();
  });
});
