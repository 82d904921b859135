/** Delays, back-offs and leases run on a clock that scripts move, each by the clamp at most: somebody must ask often enough. */
import { describe, expect, it } from 'vitest';
import { leasePresets } from '../../../src/engine/pool/options.ts';
import { TEST_LEASE, usePool } from '../../support/pool.ts';
import { until } from '../../support/until.ts';

const SEEN_MS = 3000;

describe('the logical clock', () => {
  const fixture = usePool();

  /** How far it fell behind within `SEEN_MS`. Only reads. */
  async function lateMs(): Promise<number> {
    const link = await fixture.look();
    const { config } = link.keys.pool(fixture.pool);
    const stand = async () => {
      const fields = (await link.commands.call('HMGET', config, 'clock', 'last-time')) as [Buffer, Buffer];
      return fields.map(field => Number(String(field)) / 1000) as [number, number];
    };
    const [clockMs, timeMs] = await stand();
    const beganMs = performance.now();
    await until(() => performance.now() - beganMs > SEEN_MS, 'some looks');
    const [laterMs, laterTimeMs] = await stand();
    // By the time of the last script: what has passed since counts with the next.
    expect(laterTimeMs - timeMs).toBeGreaterThan(SEEN_MS / 2);
    return laterTimeMs - timeMs - (laterMs - clockMs);
  }

  it.each([
    ['short', TEST_LEASE],
    ['fast', leasePresets.fast],
  ])('keeps time while only a client is connected that looks seldom, with a %s lease', async (_, lease) => {
    await fixture.client({ lease, refreshMs: 600_000 });
    expect(await lateMs()).toBeLessThan(200);
  });

  it('keeps time while only a worker is connected that looks seldom', async () => {
    const node = await fixture.node({ lease: TEST_LEASE, reconcileMs: 60_000 });
    await node.addWorker({ handler: { start() {} } });
    expect(await lateMs()).toBeLessThan(200);
  });

  it('a delayed job runs when its delay is over, and not before', async () => {
    const node = await fixture.node({ lease: leasePresets.fast, reconcileMs: 60_000 });
    let startedMs = 0;
    await node.addWorker({
      handler: {
        start() {
          startedMs = performance.now();
        },
      },
    });
    const beganMs = performance.now();
    await node.dispatch('k', '', { delayMs: 2500 });
    await until(() => startedMs > 0, 'the job');
    expect(startedMs - beganMs).toBeGreaterThanOrEqual(2499);
    expect(startedMs - beganMs).toBeLessThan(3500);
  });
});
