import { BaseCommand } from '../../cli/base-command.ts';
import { poolFlags, text, watchFlags } from '../../cli/flags.ts';
import { showWorker } from '../../engine/index.ts';
import { workerNoun } from '../../present/nouns/workers.ts';

export default class WorkerShow extends BaseCommand<typeof WorkerShow> {
  static override summary = 'Show one worker';
  static override description = 'Its jobs: ponos job list --worker ID.';
  static override examples = [
    '<%= config.bin %> worker show 4kq0r8w2n5tyx1cz',
    '<%= config.bin %> worker show 4kq0r8w2n5tyx1cz --watch',
  ];
  static override aliases = ['worker:info'];
  static override args = { id: text({ required: true, description: 'Worker, as in the first column of worker list' }) };
  static override flags = { ...poolFlags, ...watchFlags };

  async run(): Promise<void> {
    const link = await this.connect();
    await this.show(async () => this.output.item(workerNoun, await showWorker(link, this.pool, this.args.id)));
  }
}
