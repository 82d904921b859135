/** A stream as a whole: made, trimmed, removed. */
import { ArgumentError, ExistsError, InvariantError, NotFoundError } from '../core/errors.ts';
import { newId } from '../core/ids.ts';
import type { RedisLink } from '../redis/link.ts';
import { parseEntryId } from './entry-id.ts';
import { partitionedError } from './partitioned.ts';
import { encodeRetention, type RetentionInput } from './retention.ts';
import { openStreamScript, removeStreamScript, trimScript } from './scripts.gen.ts';

export interface TrimResult {
  removedCount: number;
  /** Events that sinks had not acknowledged, by sink. */
  lost: Map<string, number>;
}

export type TrimLimit =
  | { readonly maxLength: number; readonly beforeId?: undefined }
  | { readonly beforeId: string; readonly maxLength?: undefined };

/** Most events removed in one step of a trim. */
const TRIM_STEP = 10_000;
/** How long the mark of a removed stream stays. */
const REMOVED_MARK_S = 86_400;

/** Makes sure that there is one; of one that is there the settings are left alone. */
export async function openStream(
  link: RedisLink,
  name: string,
  retention: RetentionInput,
  create: boolean,
): Promise<{ created: boolean; generation: string; settings: unknown[] }> {
  const { events, meta, partitions } = link.keys.stream(name);
  const args = { generation: newId(), create: create ? 1 : 0, settings: encodeRetention(retention) };
  const run = (...asked: string[]) => link.commands.run(openStreamScript, { events, meta, partitions: asked }, args);
  let reply = await run();
  if (reply.status === 'UNKNOWN') reply = await run(partitions);
  if (reply.status === 'UNKNOWN') throw new InvariantError('the script open_stream asks for a key that it has');
  if (reply.status === 'MISSING') throw new NotFoundError('stream', name);
  if (reply.status === 'PARTITIONED') throw partitionedError(name, reply.count);
  await link.registry.add('streams', name);
  return { created: reply.created === 1, generation: reply.generation, settings: reply.settings };
}

/**
 * Makes a stream that does not exist.
 * @throws ExistsError; ConflictError `PARTITIONED`; ArgumentError, OptionError, WrongTypeError, RedisUnavailableError
 */
export async function createStream(link: RedisLink, name: string, retention: RetentionInput = {}): Promise<void> {
  const { created } = await openStream(link, name, retention, true);
  if (!created) throw new ExistsError('stream', name, { hint: '"ponos stream set" changes what is kept of it.' });
}

/** @throws NotFoundError, ArgumentError, WrongTypeError, RedisUnavailableError */
export async function trimStream(link: RedisLink, name: string, limit: TrimLimit): Promise<TrimResult> {
  const { events, meta, sinks } = link.keys.stream(name);
  const args = trimArguments(limit);
  const result: TrimResult = { removedCount: 0, lost: new Map() };
  for (;;) {
    const reply = await link.commands.run(trimScript, { events, meta, sinks }, args);
    if (reply.status === 'MISSING') throw new NotFoundError('stream', name);
    result.removedCount += reply.removed;
    for (let at = 0; at + 1 < reply.lost.length; at += 2) {
      const sink = String(reply.lost[at]);
      result.lost.set(sink, (result.lost.get(sink) ?? 0) + Number(reply.lost[at + 1]));
    }
    if (reply.done === 1) return result;
  }
}

function trimArguments(limit: TrimLimit): { strategy: string; threshold: string; step: number } {
  if (limit.beforeId !== undefined) {
    return { strategy: 'MINID', threshold: parseEntryId(limit.beforeId), step: TRIM_STEP };
  }
  const { maxLength } = limit;
  if (!Number.isSafeInteger(maxLength) || maxLength < 0) {
    throw new ArgumentError(`maxLength is ${maxLength}, allowed: a whole number from 0`);
  }
  return { strategy: 'MAXLEN', threshold: String(maxLength), step: TRIM_STEP };
}

/** @throws NotFoundError, RedisUnavailableError */
export async function removeStream(link: RedisLink, name: string): Promise<void> {
  const keys = link.keys.stream(name);
  for (;;) {
    const fields = (await link.commands.call('HKEYS', keys.sinks)) as Buffer[];
    const names = [...new Set(fields.map(field => String(field).split(':', 1)[0] as string))];
    const reply = await link.commands.run(
      removeStreamScript,
      {
        events: keys.events,
        meta: keys.meta,
        sinks: keys.sinks,
        others: names.flatMap(sink => [keys.consumers(sink), keys.dead(sink)]),
      },
      { keep_s: REMOVED_MARK_S, names },
    );
    if (reply.status === 'CHANGED') continue;
    await link.registry.remove('streams', name);
    if (reply.status === 'MISSING') throw new NotFoundError('stream', name);
    return;
  }
}
