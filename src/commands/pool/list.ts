import { BaseCommand } from '../../cli/base-command.ts';
import { reportBroken } from '../../cli/broken.ts';
import { watchFlags } from '../../cli/flags.ts';
import { listPools } from '../../engine/index.ts';
import { poolNoun } from '../../present/nouns/pools.ts';

export default class PoolList extends BaseCommand<typeof PoolList> {
  static override summary = 'List the pools there are';
  static override examples = ['<%= config.bin %> pool list', '<%= config.bin %> pool list -o wide --watch'];
  static override aliases = ['pool:ls'];
  static override flags = { ...watchFlags };

  async run(): Promise<void> {
    const link = await this.connect();
    await this.show(async () => {
      const pools = await listPools(link);
      await this.output.list(poolNoun, pools, {
        empty: "There are no pools. The first worker makes one: ponos worker start --exec './job.sh'",
      });
      await reportBroken(this.output, 'pool', pools, { ...this.flags, located: this.located });
    });
  }
}
