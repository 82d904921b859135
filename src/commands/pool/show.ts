import { BaseCommand } from '../../cli/base-command.ts';
import { poolFlags, text, watchFlags } from '../../cli/flags.ts';
import { showPool } from '../../engine/index.ts';
import { poolNoun } from '../../present/nouns/pools.ts';

export default class PoolShow extends BaseCommand<typeof PoolShow> {
  static override summary = 'Show one pool';
  static override examples = ['<%= config.bin %> pool show', '<%= config.bin %> pool show video --json'];
  static override aliases = ['pool:info'];
  static override args = { name: text({ description: 'Pool; default the one of --pool' }) };
  static override flags = { ...poolFlags, ...watchFlags };

  async run(): Promise<void> {
    const link = await this.connect();
    const pool = this.args.name ?? this.pool;
    await this.show(async () => this.output.item(poolNoun, await showPool(link, pool)));
  }
}
