import { expect, it } from 'vitest';
import { Membership } from '../../../src/engine/pool/membership.ts';
import { Puller } from '../../../src/engine/pool/puller.ts';
import type { Shard } from '../../../src/engine/pool/shard.ts';
import { ManualClock } from '../../support/manual-clock.ts';

it('a pull that failed waits longer each time, whatever pokes, and forgets that with the first that succeeds', async () => {
  const clock = new ManualClock();
  const membership = new Membership(clock);
  let fails = true;
  let dueCount = 0;
  const shard = {
    quarantineMs: 0,
    due: async () => {
      dueCount++;
      if (fails) throw new Error('no');
      return { status: 'DUE', epoch: 0, keys: [], loads: [] };
    },
  } as unknown as Shard;
  const puller = new Puller({
    shard,
    membership,
    clock,
    worker: () => ({ id: 'w', incarnation: '1', group: 'default', capacity: 1 }),
    room: () => 1,
    begin: () => {},
    onStale: () => {},
    onDoubt: () => {},
  });
  for (let ms = 0; ms < 10_000; ms++) {
    await puller.pull().catch(() => {});
    await clock.advance(1);
  }
  // 50, 100, 200 and so on up to 2000 ms, each between half of it and the whole.
  expect(dueCount).toBeGreaterThanOrEqual(8);
  expect(dueCount).toBeLessThan(20);
  fails = false;
  await clock.advance(2000);
  await puller.pull();
  await puller.pull();
  const before = dueCount;
  await puller.pull();
  expect(dueCount).toBe(before + 1);
});
