import { BaseCommand } from '../../cli/base-command.ts';
import { text, watchFlags } from '../../cli/flags.ts';
import { showMap } from '../../engine/index.ts';
import { mapNoun } from '../../present/nouns/maps.ts';

export default class MapShow extends BaseCommand<typeof MapShow> {
  static override summary = 'Show one map: size, revision, replicas, expiry';
  static override aliases = ['map:info'];
  static override examples = ['<%= config.bin %> map show settings', '<%= config.bin %> map show settings --watch'];
  static override args = { map: text({ required: true, description: 'Name of the map' }) };
  static override flags = { ...watchFlags };

  async run(): Promise<void> {
    const link = await this.connect();
    await this.show(async () => this.output.item(mapNoun, await showMap(link, this.args.map)));
  }
}
