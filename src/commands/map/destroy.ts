import { BaseCommand } from '../../cli/base-command.ts';
import { changeFlags, text } from '../../cli/flags.ts';
import { destroyBrokenMap, destroyMap, findMap } from '../../engine/index.ts';
import { formatCount } from '../../present/human.ts';

export default class MapDestroy extends BaseCommand<typeof MapDestroy> {
  static override summary = 'Remove a map with its entries';
  static override description =
    'Whoever joined it sees it empty and can write to it no more; who joins later begins a new one. A value of another type under one of its keys goes with it. Asks first; --yes answers.';
  static override examples = ['<%= config.bin %> map destroy old --dry-run', '<%= config.bin %> map destroy old --yes'];
  static override impact = 'destroy' as const;
  static override args = { map: text({ required: true, description: 'Name of the map' }) };
  static override flags = { ...changeFlags };

  async run(): Promise<void> {
    const link = await this.connect();
    const { map } = this.args;
    const { keyCount, replicaCount, broken } = await findMap(link, map);
    const contents = `with ${formatCount(keyCount, 'entry', 'entries')}, joined by ${formatCount(replicaCount, 'process', 'processes')}`;
    const what = `map "${map}" ${broken === null ? contents : `and the value that breaks it: ${broken}`}`;
    if (await this.planned(`destroy ${what}`)) return;
    await this.confirm(`Destroy ${what}`);
    await (broken === null ? destroyMap(link, map) : destroyBrokenMap(link, map));
    await this.done(`destroyed ${what}`, map, broken === null ? { entryCount: keyCount, replicaCount } : {});
  }
}
