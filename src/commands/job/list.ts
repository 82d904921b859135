import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../cli/base-command.ts';
import { poolFlags, watchFlags } from '../../cli/flags.ts';
import { jobStateFlag } from '../../cli/job/flags.ts';
import { listJobs } from '../../engine/index.ts';
import { jobNoun } from '../../present/nouns/jobs.ts';

export default class JobList extends BaseCommand<typeof JobList> {
  static override summary = 'List the jobs of a pool';
  static override examples = [
    '<%= config.bin %> job list',
    '<%= config.bin %> job list --state pending --group heavy -o wide',
    '<%= config.bin %> job list --worker 4kq0r8w2n5tyx1cz -o name',
  ];
  static override aliases = ['job:ls'];
  static override flags = {
    ...poolFlags,
    state: jobStateFlag,
    worker: Flags.string({ helpValue: 'ID', description: 'Only those recorded to this worker' }),
    group: Flags.string({ helpValue: 'NAME', description: 'Only those of this worker group' }),
    limit: Flags.integer({ min: 1, helpValue: 'N', description: 'At most so many' }),
    ...watchFlags,
  };

  async run(): Promise<void> {
    const link = await this.connect();
    const { state, worker, group, limit } = this.flags;
    await this.show(async () => {
      const jobs = await listJobs(link, this.pool, { state, worker, group, limit });
      await this.output.list(jobNoun, jobs, {
        empty: `No such jobs in pool "${this.pool}". Dispatch one: ponos job dispatch KEY --pool ${this.pool}`,
      });
    });
  }
}
