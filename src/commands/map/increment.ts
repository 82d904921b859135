import { BaseCommand } from '../../cli/base-command.ts';
import { UsageError } from '../../cli/errors.ts';
import { changeFlags, text } from '../../cli/flags.ts';
import { integerOf, MapClient } from '../../engine/index.ts';
import { entryWriteNoun } from '../../present/nouns/maps.ts';

export default class MapIncrement extends BaseCommand<typeof MapIncrement> {
  static override summary = 'Add to a 64-bit integer, and print it';
  static override description = 'A key that is not there counts as 0. A value that is no integer is refused.';
  static override aliases = ['map:incr'];
  static override examples = [
    '<%= config.bin %> map increment counters visits',
    '<%= config.bin %> map increment counters stock -5',
  ];
  static override impact = 'write' as const;
  static override args = {
    map: text({ required: true, description: 'Name of the map' }),
    key: text({ required: true, description: 'Key' }),
    by: text({ description: 'Whole number to add, default 1' }),
  };
  static override flags = { ...changeFlags };

  async run(): Promise<void> {
    const { map, key, by = '1' } = this.args;
    if (!/^[+-]?\d{1,19}$/.test(by)) throw new UsageError('BY must be a whole number, as in 5 or -5');
    const client = await MapClient.open(await this.connect(), map);
    const look = async () => integerOf(map, key, await client.getFresh(key));
    if (await this.planned(`add ${by} to "${key}" in map "${map}"`, look)) return;
    const { value, revision, changed } = await client.increment(key, BigInt(by));
    if (this.output.looks.format === 'table') await this.output.line(String(value));
    else await this.output.item(entryWriteNoun, { map, key, revision, changed, value: String(value) });
  }
}
