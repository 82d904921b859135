import { ActResults } from '../../cli/act-results.ts';
import { BaseCommand } from '../../cli/base-command.ts';
import { changeFlags, poolFlags, text } from '../../cli/flags.ts';
import { chooseDead, deadFlags, describeDead } from '../../cli/job/dead-flags.ts';
import { checkRetry, retryJobs } from '../../engine/index.ts';
import { deadJobNoun } from '../../present/nouns/dead-jobs.ts';

export default class JobRetry extends BaseCommand<typeof JobRetry> {
  static override summary = 'Try dead jobs again';
  static override description =
    'A job is dead when its last attempt failed. It waits again with the same payload and all its attempts before it, in the group the routes say now. A key that has another job by then is refused (exit 4).';
  static override examples = [
    '<%= config.bin %> job retry film-1',
    '<%= config.bin %> job retry --all --group heavy --dry-run',
    '<%= config.bin %> job list --state dead -o name | xargs <%= config.bin %> job retry',
  ];
  static override impact = 'write' as const;
  static override args = { keys: text({ multiple: true, description: 'Keys of the jobs' }) };
  static override flags = { ...poolFlags, ...deadFlags, ...changeFlags };

  async run(): Promise<void> {
    const { all, 'older-than': olderThanMs, group } = this.flags;
    const link = await this.connect();
    const keys = await chooseDead(link, this.pool, { keys: this.args.keys, all, olderThanMs, group });
    // Those of a list are there.
    const look = async (key: string) => all || olderThanMs !== undefined || checkRetry(link, this.pool, key);
    if (await this.plannedEach(keys, look, those => `retry ${describeDead(this.pool, those)}`)) return;
    const results = new ActResults(this.output, deadJobNoun, { done: 'retried', thing: 'job' });
    await retryJobs(link, this.pool, keys, (key, error) => results.add({ key, status: 'retried', error: null }, error));
    await results.tell();
  }
}
