import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../cli/base-command.ts';
import { UsageError } from '../../cli/errors.ts';
import { EXIT } from '../../cli/exit-codes.ts';
import { text } from '../../cli/flags.ts';
import { showDifferences } from '../../cli/map/differences.ts';
import { diffEntries, readMap } from '../../engine/index.ts';

export default class MapDiff extends BaseCommand<typeof MapDiff> {
  static override summary = 'Compare two maps, or a map and a file';
  static override description =
    'Lines with a minus are only in the first, those with a plus only in the second. Exit code 0: no difference; 1: differences; anything else: an error, as diff(1) has it.';
  static override examples = [
    '<%= config.bin %> map diff settings settings-next',
    '<%= config.bin %> map diff settings --file settings.yaml',
  ];
  static override args = {
    map: text({ required: true, description: 'Name of the map' }),
    other: text({ description: 'Name of the map to compare with' }),
  };
  static override flags = {
    file: Flags.string({ helpValue: 'FILE', description: 'Compare with a file that "map import" reads; - is stdin' }),
  };

  async run(): Promise<void> {
    const { map, other } = this.args;
    const { file } = this.flags;
    if ((other === undefined) === (file === undefined)) {
      throw new UsageError('name another map, or a file with --file, to compare with');
    }
    const link = await this.connect();
    const [first, second] = await Promise.all([
      readMap(link, map),
      other === undefined ? readFile(file as string) : readMap(link, other),
    ]);
    const differences = diffEntries(first, second);
    await showDifferences(this.output, differences);
    if (differences.length > 0) this.exitCode = EXIT.failed;
  }
}

async function readFile(path: string): Promise<Map<string, string>> {
  const { readMapFile } = await import('../../cli/map/read-file.ts');
  return readMapFile(path);
}
