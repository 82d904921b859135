import { BaseCommand } from '../../../cli/base-command.ts';
import { poolFlags, watchFlags } from '../../../cli/flags.ts';
import { listRoutes, showPool } from '../../../engine/index.ts';
import { routeNoun } from '../../../present/nouns/pools.ts';

export default class PoolRouteList extends BaseCommand<typeof PoolRouteList> {
  static override summary = 'List the routes of a pool: which job keys go to which worker group';
  static override description =
    'The first whose pattern matches a key decides; a key that none matches goes to the group "default".';
  static override examples = [
    '<%= config.bin %> pool route list',
    '<%= config.bin %> pool route list --pool video --json',
  ];
  static override aliases = ['pool:route:ls'];
  static override flags = { ...poolFlags, ...watchFlags };

  async run(): Promise<void> {
    const link = await this.connect();
    await showPool(link, this.pool);
    await this.show(async () => {
      const routes = (await listRoutes(link, this.pool)).map((route, place) => ({ ...route, place }));
      await this.output.list(routeNoun, routes, {
        empty: `Pool "${this.pool}" has no routes: every job goes to the group "default". Add one: ponos pool route add 'heavy/*' heavy`,
      });
    });
  }
}
