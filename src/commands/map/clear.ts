import { BaseCommand } from '../../cli/base-command.ts';
import { changeFlags, text } from '../../cli/flags.ts';
import { resetMap, showMap } from '../../engine/index.ts';
import { formatCount } from '../../present/human.ts';

export default class MapClear extends BaseCommand<typeof MapClear> {
  static override summary = 'Remove all entries of a map';
  static override description = 'Whoever joined it sees a reset; the map itself stays. Asks first; --yes answers.';
  static override examples = [
    '<%= config.bin %> map clear sessions --dry-run',
    '<%= config.bin %> map clear sessions --yes',
  ];
  static override impact = 'destroy' as const;
  static override args = { map: text({ required: true, description: 'Name of the map' }) };
  static override flags = { ...changeFlags };

  async run(): Promise<void> {
    const link = await this.connect();
    const { map } = this.args;
    const { keyCount } = await showMap(link, map);
    const what = `${formatCount(keyCount, 'entry', 'entries')} of map "${map}"`;
    if (await this.planned(`remove ${what}`)) return;
    if (keyCount > 0) await this.confirm(`Remove ${what}`);
    await resetMap(link, map);
    await this.done(`removed ${what}`, map, { entryCount: keyCount });
  }
}
