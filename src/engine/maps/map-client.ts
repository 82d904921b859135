import { ClosedError } from '../core/errors.ts';
import { type OptionInput, resolveOptions } from '../core/options.ts';
import type { RedisLink } from '../redis/link.ts';
import { MapWriter } from './map-writer.ts';
import { mapOptions } from './options.ts';
import { readWhole } from './reading.ts';

export type MapClientOptions = OptionInput<typeof mapOptions>;

/** A map without a copy of it: writes, and reads that ask Redis each time. For tools, and for who writes only. */
export class MapClient extends MapWriter {
  #closed = false;

  /** @throws ArgumentError on a bad name, OptionError. */
  static async open(link: RedisLink, name: string, options: MapClientOptions = {}): Promise<MapClient> {
    return new MapClient(link, name, resolveOptions('MapClient', mapOptions, options));
  }

  /** All entries as they were at one moment, at `revision` or a little later. `generation` is empty when there is no map. */
  async readAll(): Promise<{ generation: string; revision: number; entries: Map<string, string> }> {
    if (this.#closed) throw new ClosedError(`map "${this.name}"`);
    const { record, entries } = await readWhole(this.link, this.redisKeys);
    return { generation: record.destroyed ? '' : record.generation, revision: record.revision, entries };
  }

  /** Waits for the writes under way. Legal more than once. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.closeWrites();
  }
}
