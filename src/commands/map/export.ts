import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../cli/base-command.ts';
import { text } from '../../cli/flags.ts';
import { globMatcher, readMap } from '../../engine/index.ts';
import { exportedEntryNoun } from '../../present/nouns/maps.ts';

export default class MapExport extends BaseCommand<typeof MapExport> {
  static override summary = 'Write all entries as a file that map import reads';
  static override description =
    'The entries as they were at one moment, sorted by key: a YAML document of keys and values, or with -o json, ndjson or yaml records. Each brings every byte back; what is no UTF-8 is base64 and marked so. The other formats are for other programs: "map import" does not read them.';
  static override examples = [
    '<%= config.bin %> map export settings > settings.yaml',
    '<%= config.bin %> map export settings -o ndjson | <%= config.bin %> map import copy -',
  ];
  static override args = { map: text({ required: true, description: 'Name of the map' }) };
  static override flags = {
    match: Flags.string({ helpValue: 'GLOB', description: 'Only keys that match, as in "limit:*"' }),
  };

  async run(): Promise<void> {
    const { map } = this.args;
    const matches = globMatcher(this.flags.match ?? '*');
    const all = await readMap(await this.connect(), map);
    const entries = new Map([...all].filter(([key]) => matches(key)));
    if (this.output.looks.formatGiven) {
      return this.output.list(
        exportedEntryNoun,
        [...entries].map(([key, value]) => ({ map, key, value })),
      );
    }
    const { formatMapDocument } = await import('../../present/map-document.ts');
    await this.output.stdout.write(formatMapDocument(entries));
  }
}
