/** Every script of a map against a plain model: what it answers, what it writes and counts, and what it tells the copies. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PonosError } from '../../../src/engine/core/errors.ts';
import { newId } from '../../../src/engine/core/ids.ts';
import { MapClient } from '../../../src/engine/maps/map-client.ts';
import { type MapMessage, parseMessage } from '../../../src/engine/maps/message.ts';
import { expireScript } from '../../../src/engine/maps/scripts.gen.ts';
import type { RedisLink } from '../../../src/engine/redis/link.ts';
import { useRedis } from '../../support/fixture.ts';
import { entriesOf } from '../../support/truth.ts';
import { until } from '../../support/until.ts';

const KEYS = ['a', 'b', '', '__proto__', 'e=é', 'f'];
/** More than a message carries: told by its key. */
const BIG = 70_000;
const LIMITS = { maxEntries: 4, maxBytes: 2 * BIG + 60, maxValueBytes: BIG };
const VALUES = [
  '',
  '5',
  '-7',
  '9223372036854775807',
  'text',
  '[]',
  '["x"]',
  '["x","y","x"]',
  'b'.repeat(BIG),
  'c'.repeat(BIG),
];
const ITEMS = ['x', 'y', 'a "quoted" / one', 'i'.repeat(BIG - 10)];
const CLIENTS = 2;

type Held = string | undefined;
interface Edit {
  key: string;
  before: Held;
  after: Held;
}
type Write =
  | { do: 'set'; key: string; value: string }
  | { do: 'many'; entries: [string, string][] }
  | { do: 'absent'; key: string; value: string }
  | { do: 'swap'; key: string; from: Held; value: string }
  /** `late`: an older revision than the map has. */
  | { do: 'swapAt'; key: string; value: string; late: boolean }
  | { do: 'increment'; key: string; by: bigint }
  | { do: 'append' | 'unique' | 'remove'; key: string; items: string[] }
  | { do: 'delete'; key: string }
  | { do: 'deleteIf'; key: string; value: string }
  | { do: 'edit'; edits: Edit[]; fits: boolean }
  | { do: 'reset' | 'destroy' }
  | { do: 'resetAt'; late: boolean };
type Step =
  | { do: 'write'; client: number; write: Write }
  /** The last write of a client that was done is sent again, or an older one. */
  | { do: 'again'; client: number; older: boolean }
  /** The deadline of the map is past; Redis may have removed the entries by then. */
  | { do: 'due'; removed: boolean }
  | { do: 'expire' | 'flush' };

const key = fc.constantFrom(...KEYS);
const value = fc.constantFrom(...VALUES);
const held = fc.option(value, { nil: undefined });
const items = fc.array(fc.constantFrom(...ITEMS), { maxLength: 3 });
const of = <T extends string>(name: T) => fc.constant(name);
const write: fc.Arbitrary<Write> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: of('set'), key, value }) },
  { weight: 2, arbitrary: fc.record({ do: of('many'), entries: fc.array(fc.tuple(key, value), { maxLength: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ do: of('absent'), key, value }) },
  { weight: 2, arbitrary: fc.record({ do: of('swap'), key, from: held, value }) },
  { weight: 1, arbitrary: fc.record({ do: of('swapAt'), key, value, late: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: of('increment'), key, by: fc.constantFrom(0n, 1n, -3n, 2n ** 62n) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('append', 'unique', 'remove'), key, items }) },
  { weight: 3, arbitrary: fc.record({ do: of('delete'), key }) },
  { weight: 1, arbitrary: fc.record({ do: of('deleteIf'), key, value }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: of('edit'),
      edits: fc.array(fc.record({ key, before: held, after: held }), { maxLength: 4 }),
      fits: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('reset', 'destroy') }) },
  { weight: 1, arbitrary: fc.record({ do: of('resetAt'), late: fc.boolean() }) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 20, arbitrary: fc.record({ do: of('write'), client: fc.nat(CLIENTS - 1), write }) },
  { weight: 3, arbitrary: fc.record({ do: of('again'), client: fc.nat(CLIENTS - 1), older: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: of('due'), removed: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('expire', 'flush') }) },
);

const size = (text: string) => Buffer.byteLength(text);
const sizeOf = (entries: ReadonlyMap<string, string>) =>
  [...entries].reduce((sum, [name, text]) => sum + size(name) + size(text), 0);

/** What a write is answered: a code when it is refused. */
interface Answer {
  code?: string;
  changed?: boolean;
  more?: Record<string, unknown>;
}

/** The rules of a map, one write at a time. */
class Model {
  entries = new Map<string, string>();
  state: 'none' | 'live' | 'destroyed' = 'none';
  /** A deadline is set, and it is past. */
  deadline = false;
  due = false;
  /** Number of the map, counted from the first, and of each client the one it knows. */
  generation = 0;
  readonly known: number[] = Array(CLIENTS).fill(0);
  /** Changes since the last look. */
  changes = 0;
  readonly #expires: boolean;

  constructor(expires: boolean) {
    this.#expires = expires;
  }

  expire(): boolean {
    if (!this.due) return false;
    this.due = false;
    this.deadline = false;
    this.entries.clear();
    this.changes++;
    return true;
  }

  flush(): void {
    this.entries.clear();
    this.state = 'none';
    this.deadline = false;
    this.due = false;
  }

  write(client: number, write: Write): Answer {
    // Not even sent.
    if (write.do === 'many' && sizeOf(new Map(write.entries)) > LIMITS.maxBytes) return { code: 'MAP_FULL' };
    if (this.state === 'destroyed' && this.known[client] === this.generation) return { code: 'NOT_FOUND' };
    const moved = this.expire();
    const answer = this.#apply(write, moved);
    if (!answer.code && this.state === 'live') this.known[client] = this.generation;
    if (!answer.code && write.do === 'destroy' && answer.changed) this.known[client] = this.generation;
    return answer;
  }

  #apply(write: Write, moved: boolean): Answer {
    switch (write.do) {
      case 'set':
        return this.#put(write.key, write.value, { previous: this.entries.get(write.key) });
      case 'absent': {
        const current = this.entries.get(write.key);
        if (current !== undefined) return { changed: false, more: { applied: false, current } };
        return this.#put(write.key, write.value, { applied: true, current: write.value });
      }
      case 'swap': {
        const current = this.entries.get(write.key);
        if (current !== write.from) return { changed: false, more: { applied: false, current } };
        return this.#put(write.key, write.value, { applied: true, current: write.value });
      }
      case 'swapAt': {
        const current = this.entries.get(write.key);
        if (write.late || moved) return { changed: false, more: { applied: false, current } };
        return this.#put(write.key, write.value, { applied: true, current: write.value });
      }
      case 'many':
        return this.#replace(new Map([...this.entries, ...write.entries]), changedCount => ({ changedCount }));
      case 'edit': {
        const edits = [...new Map(write.edits.map(edit => [edit.key, edit])).values()];
        const conflicts = edits.filter(({ key: name, before }) => this.entries.get(name) !== before);
        if (conflicts.length > 0) {
          return { changed: false, more: { applied: false, conflicts: conflicts.map(({ key: name }) => name) } };
        }
        const after = new Map(this.entries);
        for (const edit of edits) {
          if (edit.after === undefined) after.delete(edit.key);
          else after.set(edit.key, edit.after);
        }
        return this.#replace(after, changedCount => ({ applied: true, changedCount, conflicts: [] }));
      }
      case 'increment': {
        const text = this.entries.get(write.key) ?? '0';
        if (!/^(0|-?[1-9]\d*)$/.test(text) || BigInt.asIntN(64, BigInt(text)) !== BigInt(text)) {
          return { code: 'NOT_INTEGER' };
        }
        const sum = BigInt(text) + write.by;
        if (BigInt.asIntN(64, sum) !== sum) return { code: 'OVERFLOW' };
        return this.#put(write.key, String(sum), { value: sum });
      }
      case 'append':
      case 'unique':
      case 'remove':
        return this.#list(write);
      case 'delete':
      case 'deleteIf': {
        const previous = this.entries.get(write.key);
        if (write.do === 'deleteIf' && previous !== write.value) {
          return { changed: false, more: { applied: false, current: previous } };
        }
        const more = write.do === 'delete' ? { previous } : { applied: true, current: undefined };
        if (previous === undefined) return { changed: false, more };
        this.entries.delete(write.key);
        return this.#changed(more);
      }
      case 'reset':
      case 'resetAt': {
        if (write.do === 'resetAt' && (write.late || moved)) return { changed: false, more: { applied: false } };
        if (this.entries.size === 0) return { changed: false };
        this.entries.clear();
        return this.#changed();
      }
      case 'destroy': {
        if (this.state !== 'live') return { changed: false };
        this.entries.clear();
        this.state = 'destroyed';
        this.deadline = false;
        this.changes++;
        return { changed: true };
      }
    }
  }

  #list({ do: edit, key: name, items: given }: Write & { items: string[]; key: string }): Answer {
    const text = this.entries.get(name);
    let list: unknown = [];
    try {
      if (text !== undefined) list = JSON.parse(text);
    } catch {
      return { code: 'NOT_LIST' };
    }
    if (!Array.isArray(list)) return { code: 'NOT_LIST' };
    const before = list as string[];
    const after =
      edit === 'remove'
        ? before.filter(item => !given.includes(item))
        : edit === 'append'
          ? [...before, ...given]
          : [...before, ...new Set(given.filter(item => !before.includes(item)))];
    if (after.length === before.length) return { changed: false, more: { items: before } };
    if (after.length > 0) return this.#put(name, JSON.stringify(after), { items: after });
    this.entries.delete(name);
    return this.#changed({ items: [] });
  }

  #put(name: string, text: string, more: Record<string, unknown>): Answer {
    if (this.entries.get(name) === text) return { changed: false, more };
    if (size(text) > LIMITS.maxValueBytes) return { code: 'VALUE_TOO_LARGE' };
    return this.#replace(new Map([...this.entries, [name, text]]), () => more);
  }

  /** All or nothing. What shrinks the map is never refused. */
  #replace(after: Map<string, string>, more: (changedCount: number) => Record<string, unknown>): Answer {
    const names = new Set([...this.entries.keys(), ...after.keys()]);
    const changedCount = [...names].filter(name => this.entries.get(name) !== after.get(name)).length;
    if (changedCount === 0) return { changed: false, more: more(0) };
    const [bytes, before] = [sizeOf(after), sizeOf(this.entries)];
    if (after.size > LIMITS.maxEntries && after.size > this.entries.size) return { code: 'MAP_FULL' };
    if (bytes > LIMITS.maxBytes && bytes > before) return { code: 'MAP_FULL' };
    this.entries = after;
    return this.#changed(more(changedCount));
  }

  #changed(more: Record<string, unknown> = {}): Answer {
    if (this.state !== 'live') {
      this.state = 'live';
      this.generation++;
    }
    this.deadline ||= this.#expires;
    this.changes++;
    return { changed: true, more };
  }
}

/** What a copy would be that has heard all messages, each of which must follow the one before. */
class Heard {
  entries = new Map<string, string>();
  generation = '';
  revision = 0;
  count = 0;
  unknown: string[] = [];

  apply(message: MapMessage): void {
    // Of a map that Redis lost, or that was destroyed, nothing is left.
    if (message.generation !== this.generation) this.entries.clear();
    else expect(message.previous).toBe(this.revision);
    this.generation = message.generation;
    this.revision = message.revision;
    this.count++;
    if (message.kind === 'set') this.entries.set(message.key, message.value);
    else if (message.kind === 'delete') this.entries.delete(message.key);
    else if (message.kind === 'batch') for (const [name, text] of message.entries) this.entries.set(name, text);
    else if (message.kind === 'fetch') this.unknown.push(...message.keys);
    else this.entries.clear();
  }
}

/** What was sent by a client, in order. */
type Sent = { run: () => Promise<{ status: string }>; reply: { status: string } };

describe('the scripts of a map', () => {
  const redis = useRedis();

  it('do what a plain model does, count exactly, and tell all of it', async () => {
    const main = await redis.connect();
    const links = await Promise.all(Array.from({ length: CLIENTS }, () => redis.connect()));
    const sentBy = links.map(link => recordScripts(link));
    const ttl = fc.constantFrom({}, { ttlMs: 3_600_000 }, { ttlMs: 3_600_000, ttlMode: 'sliding' as const });
    await fc.assert(
      fc.asyncProperty(ttl, fc.array(step, { maxLength: 40, size: 'max' }), async (options, steps) => {
        const name = newId();
        for (const sent of sentBy) sent.length = 0;
        const clients = await Promise.all(links.map(link => MapClient.open(link, name, { ...LIMITS, ...options })));
        await check(main, name, clients, sentBy, steps, new Model('ttlMs' in options));
      }),
      { numRuns: 60 },
    );
  });
});

function recordScripts(link: RedisLink): Sent[] {
  const sent: Sent[] = [];
  const run = link.commands.run.bind(link.commands) as (...args: unknown[]) => Promise<{ status: string }>;
  link.commands.run = (async (...args: unknown[]) => {
    const reply = await run(...args);
    if (reply.status === 'OK' || reply.status === 'UNMET') sent.push({ run: () => run(...args), reply });
    return reply;
  }) as typeof link.commands.run;
  return sent;
}

async function check(
  link: RedisLink,
  name: string,
  clients: MapClient[],
  sentBy: Sent[][],
  steps: Step[],
  model: Model,
): Promise<void> {
  const keys = link.keys.map(name);
  const heard = new Heard();
  const subscription = await link.subscriptions.subscribe(keys.changes, {
    message: payload => heard.apply(parseMessage(payload) as MapMessage),
  });
  let revision = 0;
  try {
    for (const step of steps) {
      model.changes = 0;
      heard.count = 0;
      if (step.do === 'write') {
        const write = fitted(step.write, model);
        const expected = model.write(step.client, write);
        const found = await perform(clients[step.client] as MapClient, write, revision);
        if (expected.code) expect(found).toEqual({ code: expected.code });
        else expect(found).toMatchObject({ changed: expected.changed, ...expected.more });
      } else if (step.do === 'again') {
        const sent = sentBy[step.client] as Sent[];
        const one = sent.at(step.older ? -2 : -1);
        if (one) expect(await one.run()).toEqual(step.older ? { status: 'STALE' } : one.reply);
      } else if (step.do === 'due' && model.deadline) {
        model.due = true;
        await link.commands.call('HSET', keys.meta, 'expiresAtMs', 1);
        if (step.removed) await link.commands.call('DEL', keys.data);
      } else if (step.do === 'expire') {
        const { status } = await link.commands.run(expireScript, keys, { changes: keys.changes });
        expect(status).toBe(model.expire() ? 'EXPIRED' : 'LATER');
      } else if (step.do === 'flush') {
        model.flush();
        await link.commands.call('DEL', keys.data, keys.meta, keys.ops);
        for (const sent of sentBy) sent.length = 0;
        revision = 0;
      }
      revision = await compare(link, name, model, heard, revision);
    }
  } finally {
    await subscription.close();
    await link.commands.call('DEL', keys.data, keys.meta, keys.ops);
  }
}

/** Of an edit that shall fit: expecting what is there. */
function fitted(write: Write, model: Model): Write {
  if (write.do !== 'edit' || !write.fits) return write;
  const there = model.due ? new Map<string, string>() : model.entries;
  return { ...write, edits: write.edits.map(edit => ({ ...edit, before: there.get(edit.key) })) };
}

async function perform(map: MapClient, write: Write, revision: number): Promise<object> {
  const at = 'late' in write && write.late ? { revision: revision + 1 } : { revision };
  const acts: { [D in Write['do']]: (given: never) => Promise<object> } = {
    set: ({ key: name, value: text }: { key: string; value: string }) => map.set(name, text),
    many: ({ entries }: { entries: [string, string][] }) => map.setMany(entries),
    absent: ({ key: name, value: text }: { key: string; value: string }) => map.setIfAbsent(name, text),
    swap: ({ key: name, from, value: text }: { key: string; from: Held; value: string }) =>
      map.compareAndSet(name, { value: from }, text),
    swapAt: ({ key: name, value: text }: { key: string; value: string }) => map.compareAndSet(name, at, text),
    increment: ({ key: name, by }: { key: string; by: bigint }) => map.increment(name, by),
    append: ({ key: name, items: list }: { key: string; items: string[] }) => map.append(name, ...list),
    unique: ({ key: name, items: list }: { key: string; items: string[] }) => map.appendUnique(name, ...list),
    remove: ({ key: name, items: list }: { key: string; items: string[] }) => map.remove(name, ...list),
    delete: ({ key: name }: { key: string }) => map.delete(name),
    deleteIf: ({ key: name, value: text }: { key: string; value: string }) => map.compareAndDelete(name, text),
    edit: ({ edits }: { edits: Edit[] }) => map.edit(edits),
    reset: () => map.reset(),
    destroy: () => map.destroy(),
    resetAt: () => map.compareAndReset(at.revision),
  };
  try {
    return await acts[write.do](write as never);
  } catch (error) {
    if (!(error instanceof PonosError)) throw error;
    return { code: error.code };
  }
}

/** Redis and what was told against the model; gives the revision. */
async function compare(link: RedisLink, name: string, model: Model, heard: Heard, before: number): Promise<number> {
  const keys = link.keys.map(name);
  const fields = ['revision', 'bytes', 'expiresAtMs', 'state'];
  const [entries, record, lifeMs] = (await Promise.all([
    entriesOf(link, name),
    link.commands.call('HMGET', keys.meta, ...fields),
    link.commands.call('PTTL', keys.data),
  ])) as [Map<string, string>, (Buffer | null)[], number];
  const [revisionText, bytes, expiresAtMs, state] = record.map(field => field?.toString());
  const revision = Number(revisionText ?? 0);
  if (model.changes > 0) expect(revision).toBeGreaterThan(before);
  else expect(revision).toBe(before);
  await until(() => heard.count === model.changes, `${model.changes} messages`, { everyMs: 1 });
  if (model.due) return revision;
  expect(sorted(entries)).toEqual(sorted(model.entries));
  if (model.state !== 'none') {
    expect(Number(bytes)).toBe(sizeOf(model.entries));
    expect(Number(expiresAtMs ?? 0) > 0).toBe(model.deadline);
    expect(state === 'destroyed').toBe(model.state === 'destroyed');
    if (entries.size > 0) expect(lifeMs > 0).toBe(model.deadline);
  }
  for (const told of heard.unknown.splice(0)) {
    const text = entries.get(told);
    if (text === undefined) heard.entries.delete(told);
    else heard.entries.set(told, text);
  }
  if (model.state === 'none') return revision;
  expect(heard.revision).toBe(revision);
  expect(sorted(heard.entries)).toEqual(sorted(model.entries));
  return revision;
}

function sorted(entries: ReadonlyMap<string, string>): [string, string][] {
  return [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
}
