/** What is in Redis, whatever anybody saw of it. */
import type { RedisLink } from '../../src/engine/redis/link.ts';
import { Reader } from '../../src/engine/streams/reader.ts';

export async function eventsOf(link: RedisLink, stream: string): Promise<{ id: string; payload: string }[]> {
  const events: { id: string; payload: string }[] = [];
  for await (const { id, payload } of await Reader.open(link, [stream], { follow: false, onGap: 'report' })) {
    events.push({ id, payload: payload.toString() });
  }
  return events;
}

export async function entriesOf(link: RedisLink, map: string): Promise<Map<string, string>> {
  const flat = (await link.commands.call('HGETALL', link.keys.map(map).data)) as Buffer[] | Record<string, Buffer>;
  if (!Array.isArray(flat)) return new Map(Object.entries(flat).map(([key, value]) => [key, String(value)]));
  const entries = new Map<string, string>();
  for (let at = 0; at + 1 < flat.length; at += 2) entries.set(String(flat[at]), String(flat[at + 1]));
  return entries;
}
