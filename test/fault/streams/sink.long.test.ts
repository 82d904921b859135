/** What can happen to a sink beside the death of its consumers, with the times it takes. */
import { describe, expect, it } from 'vitest';
import { listDead } from '../../../src/engine/inspect/events.ts';
import { listPending, showSink } from '../../../src/engine/inspect/streams.ts';
import type { RedisLink } from '../../../src/engine/redis/link.ts';
import { MAX_COUNT } from '../../../src/engine/streams/intake.ts';
import { EventStream } from '../../../src/engine/streams/stream.ts';
import { openSink, publish, sorted, untilDone } from '../../integration/streams/sinks.ts';
import { useRedis } from '../../support/fixture.ts';
import { TcpProxy } from '../../support/proxy.ts';
import { until } from '../../support/until.ts';
import { type Figures, recordFigures, runCount } from '../report.ts';

const RUNS = 5;
const CALM = { claimIdleMs: 60_000 };
/** What a look of the test, and a timer that is late, may add. */
const SLACK_MS = 500;

describe('a sink', () => {
  const redis = useRedis();

  async function behindProxy() {
    const direct = await redis.connect();
    const stream = await EventStream.open(direct, 's');
    const proxy = await TcpProxy.start(redis.server.port);
    redis.defer(() => proxy.stop());
    const link = await redis.connect({ url: proxy.url, commandTimeoutMs: 500 });
    return { direct, stream, proxy, link };
  }

  function record(fault: string, runs: number, worstGapMs: number, lost: number, more: Figures['more'] = {}): void {
    recordFigures({ fault, runs, overlaps: 0, lost, worstGapMs: Math.round(worstGapMs), seed: '-', more });
  }

  it('gets what was read and never arrived as soon as it is connected again', async () => {
    const { direct, stream, proxy, link } = await behindProxy();
    const counts: number[] = [];
    const options = { streams: ['s'], blockMs: 10_000, ...CALM };
    const { seen, sink } = await openSink(redis, link, 'k', options, event => {
      counts.push(event.deliveryCount);
    });
    let worstMs = 0;
    const runs = runCount(RUNS);
    const isReading = async () => /blocked_clients:1\b/.test(String(await direct.commands.call('INFO', 'clients')));
    for (let run = 0; run < runs; run++) {
      await until(isReading, 'the sink to wait in Redis');
      proxy.mode = 'swallow';
      await publish(stream, run * 10, (run + 1) * 10);
      await until(async () => (await listPending(direct, 's', 'k')).length > 0, 'the sink to read in vain');
      proxy.cut();
      proxy.mode = 'pass';
      const startMs = performance.now();
      await until(() => seen.length >= (run + 1) * 10, 'the events');
      worstMs = Math.max(worstMs, performance.now() - startMs);
      await untilDone(direct, 's', 'k');
    }
    record('replies of reads are lost, then the connections are cut', runs, worstMs, runs * 10 - new Set(seen).size);
    expect(sorted(seen)).toEqual(sorted([...new Set(seen)]));
    expect(counts.every(count => count === 1)).toBe(true);
    expect(sink.stats).toMatchObject({ claimed: 0, acked: runs * 10 });
    expect(worstMs).toBeLessThan(3000);
  });

  it('notices a half-open connection within its block and two seconds, and reads again soon', async () => {
    const { direct, stream, proxy, link } = await behindProxy();
    const blockMs = 500;
    const { seen, told } = await openSink(redis, link, 'k', { streams: ['s'], blockMs, ...CALM });
    let noticedMs = 0;
    let againMs = 0;
    const runs = runCount(RUNS);
    for (let run = 0; run < runs; run++) {
      const before = told.disconnected.length;
      let startMs = performance.now();
      proxy.mode = 'blackhole';
      await until(() => told.disconnected.length > before, 'the loss to be noticed');
      noticedMs = Math.max(noticedMs, performance.now() - startMs);
      startMs = performance.now();
      proxy.mode = 'pass';
      await publish(stream, run, run + 1);
      await until(() => seen.length > run, 'the event');
      againMs = Math.max(againMs, performance.now() - startMs);
      await untilDone(direct, 's', 'k');
    }
    const more = { 'noticed after ms': Math.round(noticedMs) };
    record('the connection passes nothing and does not end', runs, againMs, runs - seen.length, more);
    expect(noticedMs).toBeLessThan(blockMs + 2000 + SLACK_MS);
    expect(againMs).toBeLessThan(1000);
  });

  it('is there again at once after a flush, and asks little while it cannot be', async () => {
    const link = await redis.connect();
    const watching = await redis.connect();
    const stream = await EventStream.open(link, 's');
    const { seen, told } = await openSink(redis, link, 'k', { streams: ['s'], blockMs: 2000 });
    let worstMs = 0;
    const runs = runCount(RUNS);
    for (let run = 0; run < runs; run++) {
      await watching.commands.call('FLUSHDB');
      const startMs = performance.now();
      await publish(stream, run, run + 1);
      await until(() => seen.length > run, 'the event');
      worstMs = Math.max(worstMs, performance.now() - startMs);
      await until(() => told.dataLoss.length > run, 'the loss to be told');
    }
    /** Of all that the process sends: over the connection of its commands, and while it waits for events. */
    const commandsPerSecond = async () => {
      await watching.commands.call('CONFIG', 'RESETSTAT');
      const before = link.commands.sentCount;
      const windowMs = 10_000;
      await new Promise(resolve => setTimeout(resolve, windowMs));
      const stats = String(await watching.commands.call('INFO', 'commandstats'));
      const calls = [...stats.matchAll(/^cmdstat_(xreadgroup|client\|\w+|ping):calls=(\d+)/gm)];
      const waiting = calls.reduce((sum, [, , count]) => sum + Number(count), 0);
      return (link.commands.sentCount - before + waiting) / (windowMs / 1000);
    };
    const { events } = link.keys.stream('s');
    await watching.commands.call('DEL', events);
    await watching.commands.call('SET', events, 'x');
    await until(() => told.error.length > 0, 'the sink to see it');
    const broken = await commandsPerSecond();
    await watching.commands.call('DEL', events);
    await publish(stream, runs, runs + 1).catch(() => publish(stream, runs, runs + 1));
    await until(() => seen.length > runs, 'the event after that', { limitMs: 30_000 });
    await untilDone(link, 's', 'k');
    await watching.commands.call('XGROUP', 'DESTROY', events, 'k');
    const withoutGroup = await commandsPerSecond();
    const more = { 'commands a second while broken': broken, 'after its group was destroyed': withoutGroup };
    record('FLUSHDB, and a stream of a wrong type', runs, worstMs, 0, more);
    expect(worstMs).toBeLessThan(1000);
    expect(broken).toBeLessThanOrEqual(5);
    expect(withoutGroup).toBeLessThanOrEqual(5);
  });

  it('never has more than one batch pending when its filter lets one in a hundred pass', async () => {
    const link = await redis.connect();
    const watching = await redis.connect();
    const stream = await EventStream.open(link, 's');
    const total = 100_000;
    for (let at = 0; at < total; at += 1000) {
      const batch = Array.from({ length: 1000 }, (_, i) => ({
        name: 'n',
        payload: `${at + i}`,
        topic: i % 100 === 0 ? 'wanted' : 'unwanted',
      }));
      await stream.publishMany(batch);
    }
    const startMs = performance.now();
    const { seen } = await openSink(redis, link, 'k', { streams: ['s'], topic: 'wanted' });
    let most = 0;
    let looks = 0;
    for (let isOver = false; !isOver; looks++) {
      const [pending] = (await watching.commands.call('XPENDING', link.keys.stream('s').events, 'k')) as [number];
      most = Math.max(most, pending);
      isOver = seen.length === total / 100 && pending === 0;
    }
    const tookMs = performance.now() - startMs;
    await untilDone(link, 's', 'k');
    const { filteredTotal } = await showSink(link, 's', 'k');
    record('a filter that matches 1 % of 100000 events', 1, tookMs, total / 100 - seen.length, {
      'most pending': most,
      looks,
    });
    expect(filteredTotal).toBe(total - total / 100);
    expect(most).toBeLessThanOrEqual(MAX_COUNT);
  });

  it('stays quick for others beside events that fail and entries that are none', async () => {
    const link = await redis.connect();
    const publishing = await redis.connect();
    const { seen, latencies, told } = await openTimed(link);
    const stream = await EventStream.open(publishing, 's');
    const { events } = link.keys.stream('s');
    const calm = await percentileOf(stream, latencies, async () => {});
    let trouble = 0;
    const troubled = await percentileOf(stream, latencies, async () => {
      trouble++;
      await stream.publish('poison', 'x');
      await publishing.commands.call('XADD', events, '*', 'foo', Buffer.from([0xff, 0xfe]));
      const many = Array.from({ length: 2000 }, (_, i) => `f${i}`);
      await publishing.commands.call('XADD', events, '*', ...many);
      await stream.publish(Buffer.from([0xff, 0xfe, 0x00]).toString('latin1'), Buffer.from([0xff, 0x00]));
    });
    // What it takes to add and to fetch so much, on this machine as busy as it is.
    const large = Buffer.alloc(50 * 1024 * 1024, 1);
    const plainlyMs = performance.now();
    const scratch = `${events}:scratch`;
    await publishing.commands.call('XADD', scratch, '*', 'no-name', large);
    await publishing.commands.call('XRANGE', scratch, '-', '+');
    const plainMs = performance.now() - plainlyMs;
    await publishing.commands.call('UNLINK', scratch);
    const stuckMs = performance.now();
    await publishing.commands.call('XADD', events, '*', 'no-name', large);
    await stream.publish('n', 'after the large one');
    await until(() => seen.includes('after the large one'), 'what comes after the large one');
    const stallMs = performance.now() - stuckMs;
    await untilDone(link, 's', 'k');
    const { deadCount } = await showSink(link, 's', 'k');
    record('1 % poison, foreign entries of 1 and 1000 fields, one of 50 MB', 1, stallMs, 0, {
      'p99 calm ms': Math.round(calm),
      'p99 troubled ms': Math.round(troubled),
      'to add and fetch 50 MB ms': Math.round(plainMs),
      'dead letters': deadCount,
    });
    expect(deadCount).toBe(trouble * 3 + 1);
    expect(told.error).toEqual([]);
    const reasons = new Set((await listDead(link, 's', 'k', { count: 1000 })).map(({ reason }) => reason));
    expect([...reasons].sort()).toEqual([
      'delivered 5 times, last: Error: poison',
      'malformed: entry has 1000 fields',
      'malformed: entry has no name (field n)',
    ]);
    expect(troubled).toBeLessThan(calm * 2 + 10);
    // It is added, fetched and copied; Redis serves nobody meanwhile.
    expect(stallMs).toBeLessThan(plainMs * 3 + SLACK_MS);
  });

  it('closes in time with events waiting, and what is left goes to others at once', async () => {
    const link = await redis.connect();
    const other = await redis.connect();
    const stream = await EventStream.open(link, 's');
    const total = 10_000;
    for (let at = 0; at < total; at += 1000) await publish(stream, at, at + 1000);
    const closeTimeoutMs = 1500;
    let handled = 0;
    const first = await openSink(redis, link, 'k', { streams: ['s'], closeTimeoutMs, ...CALM }, () => {
      // Fast enough to read ahead, then one a second.
      return ++handled > 2000 ? new Promise<void>(resolve => setTimeout(resolve, 1000)) : undefined;
    });
    await until(() => handled > 2001, 'it to be slow');
    const held = new Set((await listPending(link, 's', 'k', { count: total })).map(({ id }) => id));
    let startMs = performance.now();
    await first.sink.close();
    const closeMs = performance.now() - startMs;
    startMs = performance.now();
    let freeMs: number | undefined;
    const second = await openSink(redis, other, 'k', { streams: ['s'], ...CALM }, ({ id }) => {
      if (held.has(id)) freeMs ??= performance.now() - startMs;
    });
    await until(() => freeMs !== undefined, 'an event that the first one held');
    await untilDone(link, 's', 'k');
    const tookMs = performance.now() - startMs;
    const missing = total - new Set([...first.seen, ...second.seen]).size;
    record('close with a handler of one second and 10000 events queued', 1, closeMs, missing, {
      'held at the time': held.size,
      'begun by others after ms': Math.round(freeMs ?? 0),
      'all done by others after ms': Math.round(tookMs),
    });
    expect(missing).toBe(0);
    expect(closeMs).toBeLessThan(closeTimeoutMs + 100);
    expect(freeMs).toBeLessThan(1000);
    expect(tookMs).toBeLessThan(10_000);
  });

  const SENT = 'sent';

  async function openTimed(link: RedisLink) {
    const latencies: number[] = [];
    const options = { streams: ['s'], concurrency: 8, retryBaseMs: 10, retryMaxMs: 50 };
    const opened = await openSink(redis, link, 'k', options, event => {
      if (event.name === 'poison') throw new Error('poison');
      const sentMs = event.headers.get(SENT);
      if (sentMs) latencies.push(performance.now() - Number(sentMs));
    });
    return { ...opened, latencies };
  }

  /** p99 from publish to handler of 4000 events at about 400 a second; `disturb` is called for each hundredth. */
  async function percentileOf(stream: EventStream, latencies: number[], disturb: () => Promise<void>): Promise<number> {
    const total = 4000;
    latencies.length = 0;
    const startMs = performance.now();
    for (let i = 0; i < total; i++) {
      if (i % 100 === 0) await disturb();
      await stream.publish('n', `${i}`, { headers: { [SENT]: `${performance.now()}` } });
      const aheadMs = startMs + i * 2.5 - performance.now();
      if (aheadMs > 1) await new Promise(resolve => setTimeout(resolve, aheadMs));
    }
    await until(() => latencies.length === total, 'all events');
    return latencies.sort((a, b) => a - b)[Math.floor(total * 0.99)] as number;
  }
});
