import { BaseCommand } from '../../cli/base-command.ts';
import { reportBroken } from '../../cli/broken.ts';
import { watchFlags } from '../../cli/flags.ts';
import { listMaps } from '../../engine/index.ts';
import { mapNoun } from '../../present/nouns/maps.ts';

export default class MapList extends BaseCommand<typeof MapList> {
  static override summary = 'List the maps';
  static override aliases = ['map:ls'];
  static override examples = ['<%= config.bin %> map list', '<%= config.bin %> map list -o name'];
  static override flags = { ...watchFlags };

  async run(): Promise<void> {
    const link = await this.connect();
    const empty = 'There are no maps. Write one: ponos map set NAME KEY VALUE';
    await this.show(async () => {
      const maps = await listMaps(link);
      await this.output.list(mapNoun, maps, { empty });
      await reportBroken(this.output, 'map', maps, { ...this.flags, located: this.located });
    });
  }
}
