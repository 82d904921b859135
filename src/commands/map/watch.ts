import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../cli/base-command.ts';
import { text } from '../../cli/flags.ts';
import type { RecordStream } from '../../cli/output.ts';
import { globMatcher, ReplicatedMap } from '../../engine/index.ts';
import { type ChangeRow, changeNoun } from '../../present/nouns/maps.ts';

export default class MapWatch extends BaseCommand<typeof MapWatch> {
  static override summary = 'See the entries, then each change as it happens';
  static override description =
    'Runs until Ctrl-C. What changed while the connection was lost is told as soon as it is back. When changes come faster than they are read, the last of each key is told. A map that does not exist yet is waited for.';
  static override examples = [
    '<%= config.bin %> map watch settings',
    '<%= config.bin %> map watch settings -o ndjson',
    '<%= config.bin %> map watch settings --key interval --updates --count 1 --raw',
  ];
  static override streaming = true;
  static override args = { map: text({ required: true, description: 'Name of the map' }) };
  static override flags = {
    key: Flags.string({ helpValue: 'KEY', exclusive: ['match'], description: 'Only this key' }),
    match: Flags.string({ helpValue: 'GLOB', description: 'Only keys that match, as in "limit:*"' }),
    updates: Flags.boolean({ description: 'Only changes, not the entries there are' }),
    count: Flags.integer({ min: 1, helpValue: 'N', description: 'End after so many changes' }),
  };

  async run(): Promise<void> {
    const stop = this.untilInterrupted();
    const link = await this.connect();
    const map = await ReplicatedMap.join(link, this.args.map);
    this.defer(() => map.close());
    const { key, match, updates, count = Number.POSITIVE_INFINITY } = this.flags;
    // The watch begins in the same turn as the copy is read: nothing falls in between.
    const present = updates ? [] : [...map.entries()];
    const changes = map.watch({ key, glob: match }, stop);
    const out = this.output.stream(changeNoun);
    this.#tellOutages(map, out);
    if (!updates) await this.#tellPresent(map, out, present);
    await this.output.note(`watching map "${map.name}"; Ctrl-C ends it`);
    let told = 0;
    for await (const change of changes) {
      await out.write(change.kind, { map: map.name, atMs: Date.now(), ...change });
      if (++told >= count) return;
    }
  }

  async #tellPresent(map: ReplicatedMap, out: RecordStream<ChangeRow>, present: [string, string][]): Promise<void> {
    const { key: only, match } = this.flags;
    const matches = match === undefined ? () => true : globMatcher(match);
    const row = { map: map.name, revision: map.revision, atMs: Date.now() };
    await this.#mark(out, 'snapshot-begin', row);
    for (const [key, value] of present) {
      if ((only === undefined || key === only) && matches(key))
        await out.write('set', { ...row, kind: 'set', key, value });
    }
    await this.#mark(out, 'snapshot-end', row);
  }

  #tellOutages(map: ReplicatedMap, out: RecordStream<ChangeRow>): void {
    let stale = false;
    const tell = (type: string, sentence: string) => {
      const row = { map: map.name, revision: map.revision, atMs: Date.now() };
      Promise.all([this.#mark(out, type, row), this.output.note(sentence)]).catch(() => undefined);
    };
    map.events.on('stale', ({ cause }) => {
      stale = true;
      tell('stale', `not up to date: ${cause.message}`);
    });
    map.events.on('synced', () => {
      if (stale) tell('synced', 'up to date again');
      stale = false;
    });
  }

  /** A record that is no change: for programs only. */
  async #mark(out: RecordStream<ChangeRow>, type: string, row: Omit<ChangeRow, 'kind'>): Promise<void> {
    const { format } = this.output.looks;
    if (format === 'ndjson' || format === 'yaml') await out.write(type, { ...row, kind: type });
  }
}
