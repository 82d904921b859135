import type { Connection } from '../redis/connection.ts';
import type { KeySpace } from '../redis/keys.ts';
import { FIRST_ID } from './entry-id.ts';
import type { StreamFacts } from './gap.ts';

/** Name-value pairs of an XINFO reply. Values are numbers, Buffers, null or lists. */
export function parseInfo(reply: unknown): Map<string, unknown> {
  const fields = new Map<string, unknown>();
  const flat = reply as unknown[];
  for (let at = 0; at + 1 < flat.length; at += 2) fields.set(String(flat[at]), flat[at + 1]);
  return fields;
}

/** What XINFO STREAM says, without the bodies of the events it returns. */
export function parseStreamInfo(
  reply: unknown,
): Omit<StreamFacts, 'generation' | 'removed'> & { lastId: string | null } {
  const fields = parseInfo(reply);
  const entryId = (name: string) => {
    const entry = fields.get(name) as [Buffer] | null | undefined;
    return entry ? String(entry[0]) : null;
  };
  return {
    length: Number(fields.get('length') ?? 0),
    addedTotal: Number(fields.get('entries-added') ?? 0),
    firstId: entryId('first-entry'),
    lastId: entryId('last-entry'),
    lastGeneratedId: String(fields.get('last-generated-id') ?? FIRST_ID),
  };
}

const ABSENT = { length: 0, addedTotal: 0, firstId: null, lastId: null, lastGeneratedId: FIRST_ID };

/**
 * Where a stream stands; a missing one has no events. Commands of a reader only: nothing is written.
 * @throws WrongTypeError, RedisUnavailableError
 */
export async function readStreamFacts(
  connection: Connection,
  keys: ReturnType<KeySpace['stream']>,
): Promise<StreamFacts & { exists: boolean }> {
  const [info, meta] = await Promise.all([
    connection.call('XINFO', 'STREAM', keys.events).then(parseStreamInfo, async (error: unknown) => {
      // XINFO answers with an error for a missing key; that is told from others by asking, not by its text.
      if ((await connection.call('EXISTS', keys.events)) === 0) return undefined;
      throw error;
    }),
    connection.call('HMGET', keys.meta, 'generation', 'state') as Promise<(Buffer | null)[]>,
  ]);
  const [generation, state] = meta.map(value => value?.toString());
  return {
    ...(info ?? ABSENT),
    generation,
    removed: state === 'removed',
    exists: info !== undefined || (generation !== undefined && state !== 'removed'),
  };
}
