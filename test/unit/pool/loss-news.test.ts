import { expect, test } from 'vitest';
import { LossNews } from '../../../src/engine/pool/loss-news.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const LEASE_MS = 1000;

test('what every shard tells of one loss is news once', () => {
  const news = new LossNews(new ManualClock(), () => LEASE_MS);
  expect([0, 2, 1].map(shard => news.isNew(shard, 'flushed'))).toEqual([true, false, false]);
});

test('a shard that tells again tells of another loss', () => {
  const news = new LossNews(new ManualClock(), () => LEASE_MS);
  expect([0, 1, 1, 0].map(shard => news.isNew(shard, 'server'))).toEqual([true, false, true, false]);
});

test('another cause, or a lease later, is another loss', async () => {
  const clock = new ManualClock();
  const news = new LossNews(clock, () => LEASE_MS);
  expect(news.isNew(0, 'server')).toBe(true);
  expect(news.isNew(1, 'flushed')).toBe(true);
  await clock.advance(LEASE_MS);
  expect(news.isNew(2, 'flushed')).toBe(true);
});
