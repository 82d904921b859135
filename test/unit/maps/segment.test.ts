import { describe, expect, it } from 'vitest';
import type { MapMessage } from '../../../src/engine/maps/message.ts';
import { Replica } from '../../../src/engine/maps/replica.ts';
import { Segment } from '../../../src/engine/maps/segment.ts';
import { SlowScan, TruthMap } from './model.ts';

/** Of a map in which many keys come and go. */
function churn(truth: TruthMap, count: number, from = 0): MapMessage[] {
  const told = truth.published.length;
  for (let n = from; n < from + count; n++) {
    truth.set(`k${n}`, 'x', n % 3 === 0);
    truth.delete(`k${n}`);
  }
  return truth.published.slice(told);
}

describe('a run of messages', () => {
  it('holds no more of what is gone than it says, and after a reset nothing', () => {
    const truth = new TruthMap();
    truth.set('kept', '1', false);
    const segment = new Segment(truth.published[0] as MapMessage);
    const messages = churn(truth, 10_002);
    for (const message of messages.slice(0, -2)) segment.append(message);
    expect(segment.overgrown).toBe(false);
    for (const message of messages.slice(-2)) segment.append(message);
    expect(segment.overgrown).toBe(true);
    for (let n = 0; n < 5000; n++) truth.set(`k${n}`, 'back', false);
    for (const message of truth.published.slice(messages.length + 1)) segment.append(message);
    expect(segment.overgrown).toBe(false);
    const told = truth.published.length;
    truth.reset();
    churn(truth, 1000);
    truth.set('last', '1', false);
    for (const message of truth.published.slice(told)) segment.append(message);
    expect([...segment.values]).toEqual([['last', '1']]);
    expect(segment.unknown.size).toBe(0);
  });

  it('is begun anew by a replica when it is overgrown, which then asks for another snapshot', () => {
    const truth = new TruthMap();
    truth.set('kept', '1', false);
    const replica = new Replica();
    replica.startScan();
    const scan = new SlowScan(truth, ['kept']);
    for (const message of churn(truth, 30_000)) replica.message(message);
    truth.set('last', '1', false);
    replica.message(truth.published.at(-1) as MapMessage);
    const outcome = replica.snapshot(scan.finish());
    expect(outcome.request).toMatchObject({ kind: 'resync' });
    replica.startScan();
    replica.snapshot(new SlowScan(truth, ['kept', 'last']).finish());
    expect(replica.live).toBe(true);
    expect(new Map(replica.entries)).toEqual(truth.entries);
  });
});
