import { BaseCommand } from '../../../cli/base-command.ts';
import { changeFlags, poolFlags, text } from '../../../cli/flags.ts';
import { listRoutes, NotFoundError, removeRoute, showPool } from '../../../engine/index.ts';
import { safeText } from '../../../present/safe-text.ts';

export default class PoolRouteRemove extends BaseCommand<typeof PoolRouteRemove> {
  static override summary = 'Remove a route';
  static override examples = ["<%= config.bin %> pool route remove 'heavy/*'"];
  static override aliases = ['pool:route:rm'];
  static override impact = 'write' as const;
  static override args = { pattern: text({ required: true, description: 'Pattern of the route, as in route list' }) };
  static override flags = { ...poolFlags, ...changeFlags };

  async run(): Promise<void> {
    const { pattern } = this.args;
    const link = await this.connect();
    await showPool(link, this.pool);
    const look = async () => {
      const routes = await listRoutes(link, this.pool);
      if (!routes.some(({ glob }) => glob === pattern)) throw new NotFoundError('route', pattern);
    };
    if (await this.planned(`remove the route "${pattern}" of pool "${this.pool}"`, look)) return;
    await removeRoute(link, this.pool, pattern);
    await this.done(`removed the route "${safeText(pattern)}" of pool "${this.pool}"`, pattern, { pool: this.pool });
  }
}
