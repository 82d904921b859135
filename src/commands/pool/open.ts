import { BaseCommand } from '../../cli/base-command.ts';
import { changeFlags, poolFlags, text } from '../../cli/flags.ts';
import { openPool, showPool } from '../../engine/index.ts';

export default class PoolOpen extends BaseCommand<typeof PoolOpen> {
  static override summary = 'Let a pool take jobs again after a shutdown';
  static override examples = ['<%= config.bin %> pool open', '<%= config.bin %> pool open video'];
  static override impact = 'write' as const;
  static override args = { name: text({ description: 'Pool; default the one of --pool' }) };
  static override flags = { ...poolFlags, ...changeFlags };

  async run(): Promise<void> {
    const pool = this.args.name ?? this.pool;
    const link = await this.connect();
    if (await this.planned(`open pool "${pool}"`, () => showPool(link, pool))) return;
    await openPool(link, pool);
    await this.done(`pool "${pool}" takes jobs`, pool);
  }
}
