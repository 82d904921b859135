import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../../cli/base-command.ts';
import { changeFlags, poolFlags, text } from '../../../cli/flags.ts';
import { addRoute, showPool } from '../../../engine/index.ts';
import { safeText } from '../../../present/safe-text.ts';

export default class PoolRouteAdd extends BaseCommand<typeof PoolRouteAdd> {
  static override summary = 'Send job keys that match a pattern to a worker group';
  static override description =
    'A pattern knows *, ?, [a-z] and a backslash. It holds for dispatches from then on; jobs that are there keep their group. A route with the same pattern is replaced.';
  static override examples = [
    "<%= config.bin %> pool route add 'heavy/*' heavy",
    "<%= config.bin %> pool route add 'heavy/tenant-7' tenant-7 --at 0",
  ];
  static override impact = 'write' as const;
  static override args = {
    pattern: text({ required: true, description: 'Pattern over job keys' }),
    group: text({ required: true, description: 'Worker group' }),
  };
  static override flags = {
    ...poolFlags,
    at: Flags.integer({
      min: 0,
      helpValue: 'PLACE',
      description: 'Place in the order, 0 is the first; default the last',
    }),
    ...changeFlags,
  };

  async run(): Promise<void> {
    const { pattern, group } = this.args;
    const link = await this.connect();
    await showPool(link, this.pool);
    if (await this.planned(`send keys "${pattern}" of pool "${this.pool}" to group "${group}"`)) return;
    await addRoute(link, this.pool, { glob: pattern, group }, this.flags.at);
    await this.done(
      `keys "${safeText(pattern)}" of pool "${this.pool}" go to group "${group}" from now on; "ponos pool route apply" moves the jobs that are there`,
      pattern,
      { pool: this.pool, group },
    );
  }
}
