import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../cli/base-command.ts';
import { changeFlags, text } from '../../cli/flags.ts';
import { countDifferences, showDifferences, sumDifferences } from '../../cli/map/differences.ts';
import { diffEntries, importEntries, MapClient } from '../../engine/index.ts';
import { formatCount } from '../../present/human.ts';

export default class MapImport extends BaseCommand<typeof MapImport> {
  static override summary = 'Write the entries of a file';
  static override description =
    `Reads what "map export" writes, also with -o json, ndjson or yaml, or any YAML or JSON mapping of keys to texts; "-" is stdin. Entries that are not in the file stay; with --replace they are deleted, after a confirmation. Up to 1000 entries are written at once, all or none; a map that is not there begins.
A file with nothing in it is refused; a map without entries is {}. With --dry-run the differences are shown.`;
  static override examples = [
    '<%= config.bin %> map import settings settings.yaml --dry-run',
    '<%= config.bin %> map import settings settings.yaml --replace --yes',
    '<%= config.bin %> map import settings - < settings.json',
  ];
  static override impact = 'write' as const;
  static override args = {
    map: text({ required: true, description: 'Name of the map' }),
    file: text({ required: true, description: 'File, or - for stdin' }),
  };
  static override flags = {
    ...changeFlags,
    replace: Flags.boolean({ description: 'Delete the entries that are not in the file' }),
  };

  async run(): Promise<void> {
    const { map, file } = this.args;
    const { readMapFile } = await import('../../cli/map/read-file.ts');
    const wanted = await readMapFile(file);
    const link = await this.connect();
    const present = (await (await MapClient.open(link, map)).readAll()).entries;
    const all = diffEntries(present, wanted);
    const differences = this.flags.replace ? all : all.filter(({ kind }) => kind !== 'removed');
    if (this.flags['dry-run']) {
      await showDifferences(this.output, differences);
      return this.output.note(`would change map "${map}": ${countDifferences(differences)}`);
    }
    const remove = differences.flatMap(({ key, kind }) => (kind === 'removed' ? [key] : []));
    if (remove.length > 0) {
      await this.confirm(
        `Delete ${formatCount(remove.length, 'entry', 'entries')} of map "${map}" that the file lacks`,
      );
    }
    // All of the file, not the differences: what others changed since it was compared is written, too.
    await importEntries(link, map, wanted, { remove });
    await this.done(`map "${map}": ${countDifferences(differences)}`, map, sumDifferences(differences));
  }
}
