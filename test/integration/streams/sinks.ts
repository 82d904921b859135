import { showSink } from '../../../src/engine/inspect/streams.ts';
import type { RedisLink } from '../../../src/engine/redis/link.ts';
import type { SinkEvent } from '../../../src/engine/streams/delivery.ts';
import { Sink } from '../../../src/engine/streams/sink.ts';
import type { SinkEvents } from '../../../src/engine/streams/sink-events.ts';
import type { SinkOptions } from '../../../src/engine/streams/sink-options.ts';
import { EventStream } from '../../../src/engine/streams/stream.ts';
import type { RedisFixture } from '../../support/fixture.ts';
import { until } from '../../support/until.ts';

export interface Watched {
  sink: Sink;
  /** Payloads given to the handler, in order. */
  seen: string[];
  /** What the sink told, e.g. of `deadLetter`. */
  told: { [Name in keyof SinkEvents]: SinkEvents[Name][] };
}

const NAMES = ['failed', 'deadLetter', 'lost', 'dataLoss', 'moved', 'removed', 'disconnected', 'error'] as const;

/** Retries at once, short waits. Nothing is claimed, however slow the machine, unless a test says so. */
export const FAST = { retryBaseMs: 1, retryMaxMs: 5, blockMs: 200, closeTimeoutMs: 1000 } as const;

/** Opens a sink that is closed after the test and writes down what happens. */
export async function openSink(
  redis: RedisFixture,
  link: RedisLink,
  name: string,
  options: SinkOptions,
  handler: (event: SinkEvent) => Promise<void> | void = () => {},
): Promise<Watched> {
  const seen: string[] = [];
  const sink = await Sink.open(link, name, { ...FAST, ...options }, event => {
    seen.push(event.payload.toString());
    return handler(event);
  });
  redis.defer(() => sink.close());
  const told = Object.fromEntries(NAMES.map(event => [event, [] as unknown[]])) as unknown as Watched['told'];
  for (const event of NAMES) sink.events.on(event, details => (told[event] as unknown[]).push(details));
  return { sink, seen, told };
}

export function publish(stream: EventStream, from: number, to: number, topic?: string): Promise<string[]> {
  return stream.publishMany(numbers(from, to).map(payload => ({ name: 'n', payload, topic })));
}

export function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => `${from + i}`);
}

export function sorted(payloads: readonly string[]): string[] {
  return [...payloads].sort((a, b) => Number(a) - Number(b));
}

export async function untilDone(link: RedisLink, stream: string, sink: string): Promise<void> {
  await until(async () => {
    const { pendingCount, lag } = await showSink(link, stream, sink);
    return pendingCount === 0 && lag.count === 0;
  }, `sink ${sink} of ${stream} to be through`);
}

export async function openStream(redis: RedisFixture, name: string): Promise<{ link: RedisLink; stream: EventStream }> {
  const link = await redis.connect();
  return { link, stream: await EventStream.open(link, name) };
}
