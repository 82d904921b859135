import type { Connection } from './connection.ts';
import type { KeySpace, RegistryKind } from './keys.ts';

/**
 * The names of what exists, one set per kind, so that listing never scans the keyspace. It lives in a slot of its own
 * and is written apart from the thing itself: entries may outlive what they name, so a reader checks each.
 */
export class Registry {
  readonly #connection: Connection;
  readonly #keys: KeySpace;

  constructor(connection: Connection, keys: KeySpace) {
    this.#connection = connection;
    this.#keys = keys;
  }

  /** One that is listed already is not written again: that would be refused when memory is full. */
  async add(kind: RegistryKind, name: string): Promise<void> {
    if ((await this.#connection.call('SISMEMBER', this.#keys.registry(kind), name)) === 1) return;
    await this.#connection.call('SADD', this.#keys.registry(kind), name);
  }

  async remove(kind: RegistryKind, name: string): Promise<void> {
    await this.#connection.call('SREM', this.#keys.registry(kind), name);
  }

  /** Sorted. */
  async list(kind: RegistryKind): Promise<string[]> {
    const names = (await this.#connection.call('SMEMBERS', this.#keys.registry(kind))) as Buffer[];
    return names.map(String).sort();
  }
}
