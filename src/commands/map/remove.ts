import { BaseCommand } from '../../cli/base-command.ts';
import { changeFlags, text } from '../../cli/flags.ts';
import { listOf, MapClient } from '../../engine/index.ts';
import { formatCount } from '../../present/human.ts';
import { listWriteNoun } from '../../present/nouns/maps.ts';

export default class MapRemove extends BaseCommand<typeof MapRemove> {
  static override summary = 'Remove items from a list';
  static override description =
    'Removes every occurrence, and prints the list as it is then, an item a line. To delete a whole entry: map delete.';
  static override examples = ['<%= config.bin %> map remove routes eu host-1'];
  static override impact = 'write' as const;
  static override args = {
    map: text({ required: true, description: 'Name of the map' }),
    key: text({ required: true, description: 'Key' }),
    items: text({ required: true, multiple: true, description: 'Items' }),
  };
  static override flags = { ...changeFlags };

  async run(): Promise<void> {
    const { map, key, items } = this.args;
    const client = await MapClient.open(await this.connect(), map);
    const plan = (those: readonly string[]) =>
      `remove ${formatCount(those.length, 'item')} from "${key}" in map "${map}"`;
    const look = async () => {
      const list = listOf(map, key, await client.getFresh(key));
      const there = list.filter(item => items.includes(item));
      return there.length === 0 ? 'nothing: no such item' : plan(there);
    };
    if (await this.planned(plan(items), look)) return;
    const write = await client.remove(key, ...items);
    if (this.output.looks.format === 'table') for (const item of write.items) await this.output.line(item);
    else await this.output.item(listWriteNoun, { map, key, ...write });
    if (!write.changed) await this.output.note('nothing was removed: no such item');
  }
}
