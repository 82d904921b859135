import { ActResults } from '../../cli/act-results.ts';
import { BaseCommand } from '../../cli/base-command.ts';
import { changeFlags, poolFlags, text } from '../../cli/flags.ts';
import { chooseDead, deadFlags, describeDead } from '../../cli/job/dead-flags.ts';
import { checkPurge, NotFoundError, purgeJobs } from '../../engine/index.ts';
import { deadJobNoun } from '../../present/nouns/dead-jobs.ts';

export default class JobPurge extends BaseCommand<typeof JobPurge> {
  static override summary = 'Remove dead jobs for good, payloads included';
  static override description =
    'A job is dead when its last attempt failed. A pool keeps the latest of them until they are retried or purged.';
  static override examples = [
    '<%= config.bin %> job purge film-1 --yes',
    '<%= config.bin %> job purge --older-than 7d --yes',
    '<%= config.bin %> job purge --all --group heavy --dry-run',
  ];
  static override impact = 'destroy' as const;
  static override args = { keys: text({ multiple: true, description: 'Keys of the jobs' }) };
  static override flags = { ...poolFlags, ...deadFlags, ...changeFlags };

  async run(): Promise<void> {
    const { all, 'older-than': olderThanMs, group } = this.flags;
    const link = await this.connect();
    const keys = await chooseDead(link, this.pool, { keys: this.args.keys, all, olderThanMs, group });
    const what = describeDead(this.pool, keys);
    // Those of a list are there.
    const look = async (key: string) => all || olderThanMs !== undefined || checkPurge(link, this.pool, key);
    if (await this.plannedEach(keys, look, those => `purge ${describeDead(this.pool, those)}`)) return;
    if (keys.length > 0) await this.confirm(`Purge ${what}`);
    const results = new ActResults(this.output, deadJobNoun, { done: 'purged', thing: 'job' });
    await purgeJobs(link, this.pool, keys, (key, purged) =>
      results.add({ key, status: 'purged', error: null }, purged ? undefined : new NotFoundError('dead job', key)),
    );
    await results.tell();
  }
}
