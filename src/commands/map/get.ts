import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../cli/base-command.ts';
import { text, watchFlags } from '../../cli/flags.ts';
import { globMatcher, MapClient, NotFoundError, type RedisLink, readMap, showMap } from '../../engine/index.ts';
import { entryNoun } from '../../present/nouns/maps.ts';

export default class MapGet extends BaseCommand<typeof MapGet> {
  static override summary = 'Get one value, or all entries';
  static override description =
    'With a key: its value, alone (--raw: its bytes and nothing else). Without: the entries as they were at one moment.';
  static override examples = [
    '<%= config.bin %> map get settings interval',
    '<%= config.bin %> map get settings --match "limit:*"',
    '<%= config.bin %> map get images logo --raw > logo.png',
  ];
  static override args = {
    map: text({ required: true, description: 'Name of the map' }),
    key: text({ description: 'Key; all entries without it' }),
  };
  static override flags = {
    ...watchFlags,
    match: Flags.string({ helpValue: 'GLOB', description: 'Only keys that match, as in "limit:*"' }),
  };

  async run(): Promise<void> {
    const link = await this.connect();
    const { map, key } = this.args;
    await this.show(() => (key === undefined ? this.#all(link, map) : this.#one(link, map, key)));
  }

  async #one(link: RedisLink, map: string, key: string): Promise<void> {
    const client = await MapClient.open(link, map);
    const value = await client.getFresh(key);
    if (value === undefined) {
      await showMap(link, map);
      throw new NotFoundError(`map "${map}": key`, key, { hint: `"ponos map get ${map}" shows its entries.` });
    }
    if (this.output.looks.format === 'table') await this.output.line(value);
    else await this.output.item(entryNoun, { map, key, value });
  }

  async #all(link: RedisLink, map: string): Promise<void> {
    const entries = await readMap(link, map);
    const { match } = this.flags;
    const matches = globMatcher(match ?? '*');
    const rows = [...entries].filter(([key]) => matches(key)).map(([key, value]) => ({ map, key, value }));
    await this.output.list(entryNoun, rows, {
      empty: `No entries${match === undefined ? '' : ' match'} in map "${map}".`,
    });
  }
}
