import { BaseCommand } from '../../../cli/base-command.ts';
import { changeFlags, poolFlags, text } from '../../../cli/flags.ts';
import { removeRoute, showPool } from '../../../engine/index.ts';
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
    if (await this.planned(`remove the route "${pattern}" of pool "${this.pool}"`)) return;
    const link = await this.connect();
    await showPool(link, this.pool);
    await removeRoute(link, this.pool, pattern);
    await this.output.note(`removed the route "${safeText(pattern)}" of pool "${this.pool}"`);
  }
}
