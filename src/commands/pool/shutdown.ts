import { BaseCommand } from '../../cli/base-command.ts';
import { changeFlags, poolFlags, text } from '../../cli/flags.ts';
import { progressNotes } from '../../cli/pool/progress.ts';
import { linkOptions, showPool, shutDownPool, TimeoutError } from '../../engine/index.ts';
import { formatCount, formatDuration } from '../../present/human.ts';
import { jobNoun } from '../../present/nouns/jobs.ts';

const TIMEOUT_MS = 30_000;

export default class PoolShutdown extends BaseCommand<typeof PoolShutdown> {
  static override summary = 'Refuse new jobs and stop all that are there, payloads included';
  static override description =
    `From then on a dispatch ends with 4 (POOL_CLOSED), until "pool open". Jobs that wait end at once; those that run are asked to stop, and the request survives a crash of their workers. Waits until none is left, at most --timeout (default ${TIMEOUT_MS / 1000}s); what had not stopped by then is listed, and still will. Workers, routes and dead jobs stay.`;
  static override examples = [
    '<%= config.bin %> pool shutdown --dry-run',
    '<%= config.bin %> pool shutdown video --timeout 2m --yes',
  ];
  static override impact = 'destroy' as const;
  static override args = { name: text({ description: 'Pool; default the one of --pool' }) };
  static override flags = { ...poolFlags, ...changeFlags };

  async run(): Promise<void> {
    const pool = this.args.name ?? this.pool;
    const link = await this.connect({ timeoutMs: linkOptions.commandTimeoutMs.default });
    const { jobCount } = await showPool(link, pool);
    const what = `pool "${pool}" and stop its ${formatCount(jobCount, 'job')}`;
    if (await this.planned(`close ${what}`)) return;
    await this.confirm(`Close ${what}`);
    const timeoutMs = this.settings.timeoutMs?.value ?? TIMEOUT_MS;
    const tell = progressNotes(this.output);
    const left = await shutDownPool(link, pool, {
      timeoutMs,
      onProgress: count => tell(`${formatCount(count, 'job')} left`),
    });
    if (left.length > 0) {
      await this.output.list(jobNoun, left);
      const seen = `${formatCount(left.length, 'job')} of pool "${pool}" had not stopped after ${formatDuration(timeoutMs)}`;
      throw new TimeoutError(seen, { hint: 'They are asked to, and will; run it again to wait for them.' });
    }
    await this.done(`pool "${pool}" is closed and holds no job`, pool, { jobCount });
  }
}
