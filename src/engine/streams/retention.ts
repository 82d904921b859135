/**
 * How much of a stream is kept. The settings lie with the stream in Redis, so all producers agree: whoever publishes
 * obeys them. Limits are kept by publishing, the one of age by the sinks too; the end of the time to live is kept by Redis.
 */
import { NotFoundError } from '../core/errors.ts';
import { type OptionInput, type OptionTable, type OptionValues, resolveOptions } from '../core/options.ts';
import type { Connection } from '../redis/connection.ts';
import type { KeySpace } from '../redis/keys.ts';
import type { RedisLink } from '../redis/link.ts';
import { publishLimitedScript, setRetentionScript } from './scripts.gen.ts';

export const retentionOptions = {
  maxLength: { kind: 'count', default: 0, min: 0, max: 1e12, doc: 'Most events; 0: any number.' },
  maxBytes: {
    kind: 'bytes',
    default: 0,
    min: 0,
    max: 1024 ** 5,
    doc: 'Most bytes of names, topics, headers and payloads together; 0: any number.',
  },
  maxAgeMs: {
    kind: 'ms',
    default: 0,
    min: 0,
    max: 100 * 365 * 86_400_000,
    doc: 'Events older than this go, when others are published or a sink has a look; 0: any age.',
  },
  ttlMs: {
    kind: 'ms',
    default: 0,
    min: 0,
    max: 100 * 365 * 86_400_000,
    doc: 'The whole stream ends this long after it was made (absolute) or after its last event (sliding); 0: never.',
  },
  ttlMode: { kind: 'choice', default: 'absolute', choices: ['absolute', 'sliding'], doc: 'What ttlMs counts from.' },
  onFull: {
    kind: 'choice',
    default: 'reject',
    choices: ['reject', 'dropOldest'],
    doc: 'When what is over the limits is not acknowledged by every sink: refuse the event, or remove the oldest and count them as lost.',
  },
} as const satisfies OptionTable;

/** Settings to be made or changed; what is left out stays, a limit of 0 is none. */
export type RetentionInput = OptionInput<typeof retentionOptions>;
export type Retention = OptionValues<typeof retentionOptions>;

/** In the order of the scripts (lua/_retention.lua), which also are the fields in Redis. */
export const RETENTION_FIELDS = ['maxLength', 'maxBytes', 'maxAgeMs', 'ttlMs', 'ttlMode', 'onFull'] as const;
/** Entries read or removed by one script. */
export const RETENTION_STEP = 500;

/** For the scripts: an empty text for what is not given. */
export function encodeRetention(input: RetentionInput): string[] {
  resolveOptions('retention', retentionOptions, input);
  return RETENTION_FIELDS.map(name => {
    const value = input[name];
    return value === undefined ? '' : typeof value === 'number' ? String(Math.ceil(value)) : value;
  });
}

/** undefined for a stream without limits. */
export function decodeRetention(settings: readonly unknown[]): Retention | undefined {
  const given: Record<string, unknown> = {};
  RETENTION_FIELDS.forEach((name, index) => {
    const value = settings[index];
    if (value !== null && value !== undefined) {
      given[name] = retentionOptions[name].kind === 'choice' ? String(value) : Number(String(value));
    }
  });
  const { maxLength, maxBytes, maxAgeMs, ttlMs } = given;
  if (!maxLength && !maxBytes && !maxAgeMs && !ttlMs) return undefined;
  return resolveOptions('retention', retentionOptions, given as RetentionInput);
}

export async function readRetention(
  connection: Connection,
  keys: ReturnType<KeySpace['stream']>,
): Promise<Retention | undefined> {
  return decodeRetention((await connection.call('HMGET', keys.meta, ...RETENTION_FIELDS)) as unknown[]);
}

/** What a change of the limits would make of them, and of the events that are there. */
export interface RetentionPlan {
  before: Retention | undefined;
  after: Retention | undefined;
  length: number;
  sinkCount: number;
}

/**
 * What `setRetention` would do; it changes nothing.
 * @throws OptionError; NotFoundError, WrongTypeError, RedisUnavailableError
 */
export async function planRetention(link: RedisLink, name: string, changes: RetentionInput): Promise<RetentionPlan> {
  const given = encodeRetention(changes);
  const { events, meta } = link.keys.stream(name);
  const [settings, length, groups] = await link.commands.callMany([
    ['HMGET', meta, ...RETENTION_FIELDS],
    ['XLEN', events],
    ['XINFO', 'GROUPS', events],
  ]);
  for (const reply of [settings, length]) if (reply?.status === 'rejected') throw reply.reason;
  // Without the key there are no groups to tell of: that is how it shows.
  if (groups?.status !== 'fulfilled') throw new NotFoundError('stream', name);
  const now = (settings as PromiseFulfilledResult<unknown[]>).value;
  return {
    before: decodeRetention(now),
    after: decodeRetention(given.map((value, at) => (value === '' ? now[at] : value))),
    length: (length as PromiseFulfilledResult<number>).value,
    sinkCount: (groups.value as unknown[]).length,
  };
}

export interface RetentionChange {
  /** As it is now; undefined for a stream without limits. */
  retention: Retention | undefined;
  /** Events that were over the limits and are gone. */
  removedCount: number;
  /** Of those, the ones that sinks had not acknowledged, by sink. */
  lost: Map<string, number>;
}

/**
 * Changes what is kept of a stream, and removes what is over it as far as `onFull` allows. Producers that have the stream
 * open follow within a second or so, while they publish.
 * @throws OptionError; NotFoundError, WrongTypeError, RedisUnavailableError
 */
export async function setRetention(link: RedisLink, name: string, changes: RetentionInput): Promise<RetentionChange> {
  const settings = encodeRetention(changes);
  const { events, meta, sinks } = link.keys.stream(name);
  const reply = await link.commands.run(setRetentionScript, { events, meta, sinks }, { settings });
  if (reply.status === 'MISSING') throw new NotFoundError('stream', name);
  if (changes.ttlMs !== undefined || changes.ttlMode !== undefined) await endSinksWith(link, name);
  return { retention: decodeRetention(reply.settings), ...(await keepLimits(link, name)) };
}

/**
 * Removes what is over the limits of a stream as far as `onFull` allows; nothing of one that does not exist.
 * @throws WrongTypeError, RedisUnavailableError
 */
export async function keepLimits(link: RedisLink, name: string): Promise<Omit<RetentionChange, 'retention'>> {
  const { events, meta, sinks } = link.keys.stream(name);
  const withoutIds = { bucket_count: 0, once_generation: '', once_newest: 0, once_window_ms: 0, once_cap: 0 };
  const args = { ...withoutIds, step: RETENTION_STEP, batch: [] };
  const removal = { removedCount: 0, lost: new Map<string, number>() };
  for (;;) {
    const reply = await link.commands.run(publishLimitedScript, { events, meta, more: [sinks] }, args);
    if (reply.status !== 'OK') return removal;
    removal.removedCount += reply.removed;
    addLost(removal.lost, reply.lost);
    if (reply.done === 1) return removal;
  }
}

/**
 * The leases and dead letters of the sinks end when the events of their stream do. Not in the script that moves the end:
 * most of these keys need not exist, and while a slot of a cluster moves a script would stop at one that is elsewhere.
 * Who is interrupted here leaves them an earlier end, which the next move of the end mends.
 */
export async function endSinksWith(link: RedisLink, name: string): Promise<void> {
  const { commands, keys } = link;
  const { events, sinks, consumersPrefix, deadPrefix } = keys.stream(name);
  const [atMs, fields] = await Promise.all([
    commands.call('PEXPIRETIME', events).then(Number),
    commands.call('HKEYS', sinks) as Promise<Buffer[]>,
  ]);
  // -2: it is gone, and they with it.
  if (atMs === -2) return;
  const names = new Set(fields.map(field => String(field).split(':', 1)[0] as string));
  const ending = [...names].flatMap(sink => [consumersPrefix + sink, deadPrefix + sink]);
  await Promise.all(
    ending.map(key => (atMs < 0 ? commands.call('PERSIST', key) : commands.call('PEXPIREAT', key, atMs))),
  );
}

/** `pairs` holds sink, count, sink, count... */
export function addLost(lost: Map<string, number>, pairs: readonly unknown[]): void {
  for (let at = 0; at + 1 < pairs.length; at += 2) {
    const sink = String(pairs[at]);
    lost.set(sink, (lost.get(sink) ?? 0) + Number(pairs[at + 1]));
  }
}
