import { type Bytes, byteLength } from '../core/bytes.ts';
import {
  ArgumentError,
  ConflictError,
  FullError,
  InvariantError,
  NotFoundError,
  TooLargeError,
} from '../core/errors.ts';
import { checkSize } from '../core/names.ts';
import type { OptionValues } from '../core/options.ts';
import { decodeText, encodeText } from '../core/text.ts';
import type { RedisLink } from '../redis/link.ts';
import type { Argument, Script } from '../redis/script.ts';
import { type Operation, Operations } from './operations.ts';
import type { mapOptions } from './options.ts';
import { type MapKeys, readEntry } from './reading.ts';
import {
  deleteScript,
  destroyScript,
  editListScript,
  editScript,
  incrementScript,
  resetScript,
  setManyScript,
  setScript,
} from './scripts.gen.ts';

/** Where a write left the map. */
export interface MapWrite {
  generation: string;
  /** Revision of the map after the write; unchanged when the write changed nothing. 0: there is no map. */
  revision: number;
  changed: boolean;
}
export interface EntryWrite extends MapWrite {
  /** The value before. */
  previous: string | undefined;
}
export interface ConditionalWrite extends MapWrite {
  /** The condition held. */
  applied: boolean;
  /** The value now. */
  current: string | undefined;
}
export interface ManyWrite extends MapWrite {
  changedCount: number;
}
/** `undefined` is an absent entry. */
export interface EntryEdit {
  key: string;
  /** What it must be. */
  before: string | undefined;
  /** What it becomes. */
  after: string | undefined;
}
export interface EditWrite extends MapWrite {
  /** Every entry was what it had to be; otherwise nothing was written. */
  applied: boolean;
  changedCount: number;
  /** Keys of the entries that were not. */
  conflicts: string[];
}
export interface IncrementWrite extends MapWrite {
  value: bigint;
}
export interface ListWrite extends MapWrite {
  /** The list now. */
  items: string[];
}
export interface ConditionalReset extends MapWrite {
  applied: boolean;
}

/** What an entry, or with `revision` the map, must be for a conditional write; `value: undefined` is an absent entry. */
export type Expected = { value: string | undefined } | { revision: number };

/** Entries a `setMany` may hold: a script holds up everybody else. */
const MOST_ENTRIES_AT_ONCE = 1000;
const MOST_KEY_BYTES_AT_ONCE = 4 * 1024 ** 2;
/** Of keys and values of an `edit`, those expected and those written: a script that reads and compares so much takes a few ms. */
const MOST_EDIT_BYTES = 16 * 1024 ** 2;
const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };

interface Common {
  changes: Argument;
  lane: Argument;
  sequence: Argument;
  known: Argument;
  ttl: Argument;
  ttlMode: Argument;
  maxEntries: Argument;
  maxBytes: Argument;
  maxValueBytes: Argument;
  [name: string]: Argument | readonly Argument[];
}
type ScriptKeys = { data: Argument; meta: Argument; ops: Argument };
interface Done {
  status: 'OK' | 'UNMET';
  generation: string;
  revision: number;
  changed: number;
  payload: Buffer | null;
}
type Reply =
  | Done
  | { status: 'STALE' | 'DESTROYED' | 'NOT_INTEGER' | 'OVERFLOW' | 'NOT_LIST' }
  | { status: 'VALUE_TOO_LARGE'; size: number }
  | { status: 'MAP_FULL'; count: number; bytes: number };
// biome-ignore lint/suspicious/noExplicitAny: a script takes more arguments than all have in common
type WriteScript = Script<ScriptKeys, any, Reply>;

/** Scripts that never begin a map. */
const REMOVING: ReadonlySet<WriteScript> = new Set<WriteScript>([deleteScript, resetScript, destroyScript]);

/** The writes of a map. Each is one script, done at most once, and sent again while nobody takes it or its reply is lost. */
export abstract class MapWriter {
  readonly name: string;
  protected readonly link: RedisLink;
  protected readonly redisKeys: MapKeys;
  protected readonly options: OptionValues<typeof mapOptions>;
  readonly #operations: Operations;
  /** Generation this client knows: what it may not bring back when it is destroyed. */
  #known = '';
  #registered = false;

  protected constructor(link: RedisLink, name: string, options: OptionValues<typeof mapOptions>) {
    this.link = link;
    this.name = name;
    this.redisKeys = link.keys.map(name);
    this.options = options;
    this.#operations = new Operations(link, options.retryMs);
  }

  /** The value in Redis now, whatever a replica holds. */
  async getFresh(key: string): Promise<string | undefined> {
    this.#encodeKey(key);
    return readEntry(this.link, this.redisKeys, key);
  }

  /**
   * Writes one entry. The same value again changes nothing and gets no revision.
   * @throws TooLargeError, FullError (MAP_FULL), NotFoundError when the map this client knew was destroyed, WrongTypeError,
   * RedisUnavailableError after `retryMs`; with `uncertain` it may have been written.
   */
  async set(key: string, value: string): Promise<EntryWrite> {
    const done = await this.#set(key, value, 'any', '');
    return { ...written(done), previous: text(done.payload) };
  }

  /** Writes several entries at once, all or none: other replicas show all of them or none. */
  async setMany(entries: Iterable<readonly [string, string]>): Promise<ManyWrite> {
    const unique = new Map(entries);
    if (unique.size > MOST_ENTRIES_AT_ONCE) {
      throw new ArgumentError(`setMany of ${unique.size} entries, at most ${MOST_ENTRIES_AT_ONCE} are allowed`, {
        code: 'BATCH_TOO_LARGE',
        hint: 'Write it in several parts.',
      });
    }
    const flat: Argument[] = [];
    let [keyBytes, allBytes] = [0, 0];
    for (const [key, value] of unique) {
      const [keyPart, valuePart] = [this.#encodeKey(key), this.#encodeValue(value)];
      keyBytes += byteLength(keyPart);
      allBytes += byteLength(keyPart) + byteLength(valuePart);
      flat.push(keyPart, valuePart);
    }
    if (keyBytes > MOST_KEY_BYTES_AT_ONCE) throw new TooLargeError('KEY', keyBytes, MOST_KEY_BYTES_AT_ONCE);
    if (allBytes > this.options.maxBytes) throw this.#full(unique.size, allBytes);
    const done = await this.#write('setMany', undefined, setManyScript, { entries: flat });
    return { ...written(done), changedCount: done.changed };
  }

  /**
   * Sets and deletes several entries at once if each is what it is expected to be, or none: other replicas show all of it or
   * nothing.
   * @throws ArgumentError BATCH_TOO_LARGE over 1000 entries or 16 MiB, values expected and written together; what `set` throws.
   */
  async edit(edits: Iterable<EntryEdit>): Promise<EditWrite> {
    const unique = [...new Map([...edits].map(edit => [edit.key, edit])).values()];
    const flat: Argument[] = [];
    let allBytes = 0;
    for (const { key, before, after } of unique) {
      const parts = [
        this.#encodeKey(key),
        before === undefined ? '' : encodeText(before),
        after === undefined ? '' : this.#encodeValue(after),
      ] as const;
      for (const part of parts) allBytes += byteLength(part);
      flat.push(parts[0], before === undefined ? 0 : 1, parts[1], after === undefined ? 0 : 1, parts[2]);
    }
    if (unique.length > MOST_ENTRIES_AT_ONCE || allBytes > MOST_EDIT_BYTES) {
      throw new ArgumentError(
        `an edit of ${unique.length} entries and ${allBytes} bytes, at most ${MOST_ENTRIES_AT_ONCE} entries and ${MOST_EDIT_BYTES} bytes are one change`,
        { code: 'BATCH_TOO_LARGE', hint: 'Make it in several parts.' },
      );
    }
    const done = await this.#write('edit', undefined, editScript, { edits: flat });
    const places = done.status === 'OK' ? [] : (text(done.payload) ?? '').split(',').map(Number);
    return {
      ...written(done),
      applied: done.status === 'OK',
      changedCount: done.changed,
      conflicts: places.map(place => (unique[place] as EntryEdit).key),
    };
  }

  /** Writes an entry that is not there; `current` is the value there is now. */
  async setIfAbsent(key: string, value: string): Promise<ConditionalWrite> {
    return conditional(await this.#set(key, value, 'absent', ''), value);
  }

  /** Writes an entry if its value, or the revision of the map, is the one expected. */
  async compareAndSet(key: string, expected: Expected, value: string): Promise<ConditionalWrite> {
    const [condition, operand] =
      'revision' in expected
        ? (['revision', String(expected.revision)] as const)
        : expected.value === undefined
          ? (['absent', ''] as const)
          : (['value', encodeText(expected.value)] as const);
    return conditional(await this.#set(key, value, condition, operand), value);
  }

  /**
   * Adds to a 64-bit integer; an absent entry counts as 0.
   * @throws ConflictError NOT_INTEGER or OVERFLOW, ArgumentError when `by` is no 64-bit integer, and what `set` throws.
   */
  async increment(key: string, by: bigint | number = 1): Promise<IncrementWrite> {
    if (typeof by === 'number' ? !Number.isSafeInteger(by) : by < INT64.min || by > INT64.max) {
      throw new ArgumentError(`cannot increment by ${by}`, {
        hint: 'A number must be a safe integer; a bigint must fit in 64 bits.',
      });
    }
    const done = await this.#write('increment', key, incrementScript, { key: this.#encodeKey(key), by: String(by) });
    return { ...written(done), value: BigInt(text(done.payload) ?? '0') };
  }

  /**
   * Appends to a list kept as a JSON array of strings; an absent entry is the empty list.
   * @throws ConflictError NOT_LIST, and what `set` throws.
   */
  append(key: string, ...items: string[]): Promise<ListWrite> {
    return this.#editList('append', key, items);
  }

  /** Appends those items that are not in the list. */
  appendUnique(key: string, ...items: string[]): Promise<ListWrite> {
    return this.#editList('unique', key, items);
  }

  /** Removes every occurrence of the items. A list that becomes empty leaves no entry. */
  remove(key: string, ...items: string[]): Promise<ListWrite> {
    return this.#editList('remove', key, items);
  }

  async delete(key: string): Promise<EntryWrite> {
    const done = await this.#delete(key, 'any', '');
    return { ...written(done), previous: text(done.payload) };
  }

  /** Deletes an entry if it has this value; `current` is the value there is now. */
  async compareAndDelete(key: string, value: string): Promise<ConditionalWrite> {
    return conditional(await this.#delete(key, 'value', encodeText(value)), undefined);
  }

  /** Removes all entries. */
  async reset(): Promise<MapWrite> {
    return written(await this.#write('reset', undefined, resetScript, { condition: 'any', expected: '' }));
  }

  /** Removes all entries if the map is at this revision. */
  async compareAndReset(revision: number): Promise<ConditionalReset> {
    const condition = { condition: 'revision', expected: String(revision) };
    const done = await this.#write('compareAndReset', undefined, resetScript, condition);
    return { ...written(done), applied: done.status === 'OK' };
  }

  /** Removes the map. Clients that knew it cannot write to it any more; one that is opened later begins a new one. */
  async destroy(): Promise<MapWrite> {
    const done = await this.#write('destroy', undefined, destroyScript, {});
    this.#registered = false;
    await this.link.registry.remove('maps', this.name);
    return written(done);
  }

  /** Called with the generation a replica of this client sees. */
  protected noteGeneration(generation: string): void {
    this.#known = generation;
  }

  /** Waits for the writes under way, then refuses new ones. */
  protected closeWrites(): Promise<void> {
    return this.#operations.close();
  }

  #set(key: string, value: string, condition: string, expected: Argument): Promise<Done> {
    return this.#write('set', key, setScript, {
      key: this.#encodeKey(key),
      value: this.#encodeValue(value),
      condition,
      expected,
    });
  }

  #delete(key: string, condition: string, expected: Argument): Promise<Done> {
    return this.#write('delete', key, deleteScript, { key: this.#encodeKey(key), condition, expected });
  }

  async #editList(edit: 'append' | 'unique' | 'remove', key: string, items: readonly string[]): Promise<ListWrite> {
    if (items.length > MOST_ENTRIES_AT_ONCE) {
      throw new ArgumentError(`${items.length} list items at once, at most ${MOST_ENTRIES_AT_ONCE} are allowed`);
    }
    const encoded = items.map(item => this.#encodeValue(item));
    const done = await this.#write(edit, key, editListScript, { key: this.#encodeKey(key), edit, items: encoded });
    return { ...written(done), items: JSON.parse(text(done.payload) ?? '[]') as string[] };
  }

  #write(
    what: string,
    key: string | undefined,
    script: WriteScript,
    args: Record<string, Argument | readonly Argument[]>,
  ): Promise<Done> {
    const { tracer } = this.link;
    if (!tracer) return this.#persist(what, key, script, args);
    return tracer.around(
      () => ({
        kind: 'client',
        name: `${what} ${this.name}`,
        parent: undefined,
        attributes: {
          'db.system.name': 'redis',
          'db.operation.name': what,
          'db.collection.name': this.name,
          ...(key !== undefined && { 'ponos.map.key': key }),
        },
      }),
      () => this.#persist(what, key, script, args),
      outcome => ('value' in outcome ? { attributes: { 'ponos.map.revision': outcome.value.revision } } : {}),
    );
  }

  async #persist(
    what: string,
    key: string | undefined,
    script: WriteScript,
    args: Record<string, Argument | readonly Argument[]>,
  ): Promise<Done> {
    const label = `${what} in map "${this.name}"`;
    let begun = '';
    const reply = await this.#operations.run(label, operation => {
      begun = `${operation.lane}.${operation.sequence}`;
      if (this.#registered || REMOVING.has(script)) return this.#send(script, operation, args);
      // First, so that a map is never unlisted for longer than a crash takes.
      return this.#register().then(() => this.#send(script, operation, args));
    });
    if (!isDone(reply)) throw this.#refusal(reply, key);
    if (reply.generation === '') return reply;
    // Begun by this write, or begun anew since the last: somebody may have taken it off the list meanwhile.
    const again = reply.generation === begun || (this.#known !== '' && reply.generation !== this.#known);
    this.#known = reply.generation;
    if (again && !REMOVING.has(script)) {
      // The write is done, whatever becomes of this: the next one puts the map on the list then.
      await this.#register().catch(() => {
        this.#registered = false;
      });
    }
    return reply;
  }

  #send(script: WriteScript, operation: Operation, args: Record<string, Argument | readonly Argument[]>) {
    const { data, meta, changes, ops } = this.redisKeys;
    const { ttlMs, ttlMode, maxEntries, maxBytes, maxValueBytes } = this.options;
    const common: Common = {
      changes,
      lane: operation.lane,
      sequence: operation.sequence,
      known: this.#known,
      ttl: Math.ceil(ttlMs),
      ttlMode,
      maxEntries,
      maxBytes,
      maxValueBytes,
    };
    return this.link.commands.run(script, { data, meta, ops }, { ...common, ...args });
  }

  /** Adds the map to the list of maps. */
  async #register(): Promise<void> {
    await this.link.registry.add('maps', this.name);
    this.#registered = true;
  }

  #encodeKey(key: string): Bytes {
    return this.#encode('KEY', key, this.options.maxKeyBytes);
  }

  #encodeValue(value: string): Bytes {
    return this.#encode('VALUE', value, this.options.maxValueBytes);
  }

  #encode(what: 'KEY' | 'VALUE', given: string, limitBytes: number): Bytes {
    if (typeof given !== 'string') {
      throw new ArgumentError(`${what.toLowerCase()} in map "${this.name}" is a ${typeof given}, not a string`);
    }
    // What is plain Unicode is encoded on its way out, which is cheaper than a buffer of its own.
    const bytes = given.isWellFormed() ? given : encodeText(given);
    checkSize(what, bytes, limitBytes);
    return bytes;
  }

  #refusal(reply: Exclude<Reply, Done>, key: string | undefined): Error {
    const entry = `map "${this.name}": entry ${JSON.stringify(key)}`;
    switch (reply.status) {
      case 'DESTROYED':
        return new NotFoundError('map', this.name, { hint: 'It was destroyed. Open it again to begin a new one.' });
      case 'VALUE_TOO_LARGE':
        return new TooLargeError('VALUE', reply.size, this.options.maxValueBytes);
      case 'MAP_FULL':
        return this.#full(reply.count, reply.bytes);
      case 'NOT_INTEGER':
        return notInteger(this.name, key);
      case 'OVERFLOW':
        return new ConflictError(`${entry} would leave the range of a 64-bit integer`, { code: 'OVERFLOW' });
      case 'NOT_LIST':
        return notList(this.name, key);
      case 'STALE':
        return new InvariantError(`map "${this.name}": the number of a write was used twice`);
    }
  }

  #full(count: number, bytes: number): FullError {
    const { maxEntries, maxBytes } = this.options;
    return new FullError(
      'MAP_FULL',
      `map "${this.name}" is full: ${count} entries of at most ${maxEntries}, ${bytes} bytes of at most ${maxBytes}`,
      { hint: 'Delete entries, or raise maxEntries or maxBytes in every process that writes.' },
    );
  }
}

/**
 * The number an entry holds; of one that is not there, 0.
 * @throws ConflictError NOT_INTEGER
 */
export function integerOf(map: string, key: string, value = '0'): bigint {
  const number = /^(0|-?[1-9]\d*)$/.test(value) ? BigInt(value) : undefined;
  if (number === undefined || number < INT64.min || number > INT64.max) throw notInteger(map, key);
  return number;
}

function notInteger(map: string, key: string | undefined): ConflictError {
  return new ConflictError(`map "${map}": entry ${JSON.stringify(key)} is no 64-bit integer`, { code: 'NOT_INTEGER' });
}

/**
 * The items of an entry that is a list; of one that is not there, none.
 * @throws ConflictError NOT_LIST
 */
export function listOf(map: string, key: string, value: string | undefined): string[] {
  if (value === undefined) return [];
  let list: unknown;
  try {
    list = JSON.parse(value);
  } catch {
    // No JSON at all.
  }
  if (!Array.isArray(list) || !list.every(item => typeof item === 'string')) throw notList(map, key);
  return list;
}

function notList(map: string, key: string | undefined): ConflictError {
  return new ConflictError(`map "${map}": entry ${JSON.stringify(key)} is no JSON array of strings`, {
    code: 'NOT_LIST',
  });
}

function isDone(reply: Reply): reply is Done {
  return reply.status === 'OK' || reply.status === 'UNMET';
}

function written(done: Done): MapWrite {
  return { generation: done.generation, revision: done.revision, changed: done.changed > 0 };
}

function conditional(done: Done, value: string | undefined): ConditionalWrite {
  const applied = done.status === 'OK';
  return { ...written(done), applied, current: applied ? value : text(done.payload) };
}

function text(payload: Buffer | null): string | undefined {
  return payload === null ? undefined : decodeText(payload);
}
