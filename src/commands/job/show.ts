import { BaseCommand } from '../../cli/base-command.ts';
import { poolFlags, text, watchFlags } from '../../cli/flags.ts';
import { showJob } from '../../engine/index.ts';
import { jobDetailNoun } from '../../present/nouns/jobs.ts';
import { poolEventNoun } from '../../present/nouns/pools.ts';

export default class JobShow extends BaseCommand<typeof JobShow> {
  static override summary = 'Show one job: its record, its payload, and what happened to it';
  static override description =
    'The history is taken from the ledger of the pool, which keeps only the latest entries. With --raw only the payload is written, byte for byte.';
  static override examples = [
    '<%= config.bin %> job show tenant-7',
    '<%= config.bin %> job show tenant-7 --json',
    '<%= config.bin %> job show tenant-7 --raw > payload',
  ];
  static override aliases = ['job:info'];
  static override args = { key: text({ required: true, description: 'Key of the job' }) };
  static override flags = { ...poolFlags, ...watchFlags };

  async run(): Promise<void> {
    const link = await this.connect();
    await this.show(async () => {
      const job = await showJob(link, this.pool, this.args.key, { shownBytes: Number.POSITIVE_INFINITY });
      await this.output.item(jobDetailNoun, job);
      const { format } = this.output.looks;
      if (format !== 'table' && format !== 'wide') return;
      await this.output.line('');
      await this.output.list(poolEventNoun, job.history, { empty: 'The ledger holds nothing of it any more.' });
    });
  }
}
