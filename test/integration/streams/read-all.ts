import type { RedisLink } from '../../../src/engine/redis/link.ts';
import type { StreamEvent } from '../../../src/engine/streams/event.ts';
import { Reader, type ReaderOptions } from '../../../src/engine/streams/reader.ts';

/** What streams hold now. */
export async function readAll(link: RedisLink, streams: string[], options: ReaderOptions = {}): Promise<StreamEvent[]> {
  const events: StreamEvent[] = [];
  for await (const event of await Reader.open(link, streams, { follow: false, ...options })) events.push(event);
  return events;
}

export function payloadsOf(events: readonly StreamEvent[]): string[] {
  return events.map(event => event.payload.toString());
}
