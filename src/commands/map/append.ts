import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../cli/base-command.ts';
import { changeFlags, text } from '../../cli/flags.ts';
import { listOf, MapClient } from '../../engine/index.ts';
import { formatCount } from '../../present/human.ts';
import { listWriteNoun } from '../../present/nouns/maps.ts';

export default class MapAppend extends BaseCommand<typeof MapAppend> {
  static override summary = 'Append to a list, kept as a JSON array of strings';
  static override description = 'Prints the list as it is then, an item a line.';
  static override examples = [
    '<%= config.bin %> map append routes eu host-1 host-2',
    '<%= config.bin %> map append routes eu host-1 --unique',
  ];
  static override impact = 'write' as const;
  static override args = {
    map: text({ required: true, description: 'Name of the map' }),
    key: text({ required: true, description: 'Key' }),
    items: text({ required: true, multiple: true, description: 'Items' }),
  };
  static override flags = {
    ...changeFlags,
    unique: Flags.boolean({ description: 'Leave out what is in the list already' }),
  };

  async run(): Promise<void> {
    const { map, key, items } = this.args;
    const client = await MapClient.open(await this.connect(), map);
    const plan = (those: readonly string[]) =>
      `append ${formatCount(those.length, 'item')} to "${key}" in map "${map}"`;
    const look = async () => {
      const list = listOf(map, key, await client.getFresh(key));
      const added = this.flags.unique ? items.filter(item => !list.includes(item)) : items;
      return added.length === 0 ? 'nothing: each is in the list already' : plan(added);
    };
    if (await this.planned(plan(items), look)) return;
    const write = this.flags.unique ? await client.appendUnique(key, ...items) : await client.append(key, ...items);
    if (this.output.looks.format === 'table') for (const item of write.items) await this.output.line(item);
    else await this.output.item(listWriteNoun, { map, key, ...write });
  }
}
