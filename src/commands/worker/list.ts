import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../cli/base-command.ts';
import { poolFlags, watchFlags } from '../../cli/flags.ts';
import { listWorkers } from '../../engine/index.ts';
import { workerNoun } from '../../present/nouns/workers.ts';

export default class WorkerList extends BaseCommand<typeof WorkerList> {
  static override summary = 'List the workers of a pool';
  static override examples = [
    '<%= config.bin %> worker list',
    '<%= config.bin %> worker list --group heavy -o wide',
    '<%= config.bin %> worker list -o name',
  ];
  static override aliases = ['worker:ls'];
  static override flags = {
    ...poolFlags,
    group: Flags.string({ helpValue: 'NAME', description: 'Only those of this worker group' }),
    ...watchFlags,
  };

  async run(): Promise<void> {
    const link = await this.connect();
    await this.show(async () => {
      const { group } = this.flags;
      const workers = await listWorkers(link, this.pool, { group });
      await this.output.list(workerNoun, workers, {
        empty: `No workers in pool "${this.pool}"${group ? ` and group "${group}"` : ''}. Start one: ponos worker start --exec './job.sh' --pool ${this.pool}`,
      });
    });
  }
}
