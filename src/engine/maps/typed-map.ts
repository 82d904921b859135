import { ArgumentError, type PonosError } from '../core/errors.ts';
import type { MapChange } from './changes.ts';
import type { ConditionalWrite, EntryWrite } from './map-writer.ts';
import type { ReplicatedMap } from './replicated-map.ts';
import type { WatchFilter } from './watcher.ts';

/** Turns values into the text a map holds, and back. */
export interface Codec<T> {
  encode(value: T): string;
  /** May throw on text that is none. */
  decode(text: string): T;
}

/**
 * The part of Standard Schema (version 1, https://standardschema.dev) that a check needs: Zod, Valibot, ArkType and others
 * implement it.
 */
export interface StandardSchema<Output> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}
type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string; readonly path?: readonly unknown[] | undefined }[] };

export interface TypedMapOptions<T> {
  /** Default JSON. */
  codec?: Codec<T> | undefined;
  /** Checks each value read or written; its output is the value. It must answer at once. */
  schema?: StandardSchema<T> | undefined;
}

export interface TypedChange<T> extends Omit<MapChange, 'value' | 'previous'> {
  value?: T | undefined;
  previous?: T | undefined;
  /** The entry holds what the codec or the schema refuses; `value` is absent then. */
  error?: PonosError;
}

const json: Codec<unknown> = { encode: value => JSON.stringify(value), decode: text => JSON.parse(text) as unknown };

/** A view of a joined map whose values are `T`. It owns nothing: close the map. */
export function typedMap<T>(map: ReplicatedMap, options: TypedMapOptions<T> = {}): TypedMap<T> {
  return new TypedMap(map, options);
}

export class TypedMap<T> {
  readonly map: ReplicatedMap;
  readonly #codec: Codec<T>;
  readonly #schema: StandardSchema<T> | undefined;

  constructor(map: ReplicatedMap, options: TypedMapOptions<T>) {
    this.map = map;
    this.#codec = options.codec ?? (json as Codec<T>);
    this.#schema = options.schema;
  }

  /** @throws ArgumentError (INVALID_VALUE) when the entry holds something else. */
  get(key: string): T | undefined {
    return this.#decode(key, this.map.get(key));
  }

  async getFresh(key: string): Promise<T | undefined> {
    return this.#decode(key, await this.map.getFresh(key));
  }

  /** @throws ArgumentError (INVALID_VALUE) at the first entry that holds something else. */
  *entries(): IterableIterator<[string, T]> {
    for (const [key, text] of this.map.entries()) yield [key, this.#decode(key, text) as T];
  }

  async set(key: string, value: T): Promise<Omit<EntryWrite, 'previous'> & { previous: T | undefined }> {
    return this.#typedPrevious(key, await this.map.set(key, this.#encode(key, value)));
  }

  async setAndWait(key: string, value: T, options: { timeoutMs?: number } = {}) {
    return this.#typedPrevious(key, await this.map.setAndWait(key, this.#encode(key, value), options));
  }

  async setIfAbsent(key: string, value: T): Promise<Omit<ConditionalWrite, 'current'> & { current: T | undefined }> {
    const write = await this.map.setIfAbsent(key, this.#encode(key, value));
    return { ...write, current: this.#decode(key, write.current) };
  }

  /** Compares encoded values, so the codec must give equal values equal text. */
  async compareAndSet(key: string, expected: { value: T | undefined } | { revision: number }, value: T) {
    const condition =
      'revision' in expected
        ? expected
        : { value: expected.value === undefined ? undefined : this.#encode(key, expected.value) };
    const write = await this.map.compareAndSet(key, condition, this.#encode(key, value));
    return { ...write, current: this.#decode(key, write.current) };
  }

  /** As of the map; an entry that cannot be decoded is a change with `error`. */
  async *watch(filter: WatchFilter = {}, signal?: AbortSignal): AsyncGenerator<TypedChange<T>, void> {
    for await (const change of this.map.watch(filter, signal)) yield this.#typedChange(change);
  }

  #typedChange({ value, previous, ...change }: MapChange): TypedChange<T> {
    const key = change.key ?? '';
    let before: T | undefined;
    try {
      before = this.#decode(key, previous);
    } catch {
      // What is gone need not be understood.
    }
    try {
      return { ...change, value: this.#decode(key, value), previous: before };
    } catch (error) {
      return { ...change, previous: before, error: error as PonosError };
    }
  }

  #typedPrevious(key: string, { previous, ...write }: EntryWrite) {
    let before: T | undefined;
    try {
      before = this.#decode(key, previous);
    } catch {
      // The write is done: what it replaced may be anything.
    }
    return { ...write, previous: before };
  }

  #encode(key: string, value: T): string {
    const checked = this.#check(key, value);
    const text = this.#codec.encode(checked);
    if (typeof text !== 'string') throw this.#invalid(key, 'the codec gives no text for it');
    return text;
  }

  #decode(key: string, text: string | undefined): T | undefined {
    if (text === undefined) return undefined;
    let value: T;
    try {
      value = this.#codec.decode(text);
    } catch (cause) {
      throw this.#invalid(key, 'the codec cannot decode it', cause);
    }
    return this.#check(key, value);
  }

  #check(key: string, value: T): T {
    if (!this.#schema) return value;
    const result = this.#schema['~standard'].validate(value);
    if (result instanceof Promise) throw new ArgumentError('the schema of a typed map must validate at once');
    if (!result.issues) return result.value;
    const [issue] = result.issues;
    throw this.#invalid(key, issue?.message ?? 'refused by the schema');
  }

  #invalid(key: string, why: string, cause?: unknown): ArgumentError {
    return new ArgumentError(`map "${this.map.name}": the value of ${JSON.stringify(key)} is not valid: ${why}`, {
      code: 'INVALID_VALUE',
      cause,
    });
  }
}
