import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../cli/base-command.ts';
import { changeFlags, poolFlags, text } from '../../cli/flags.ts';
import { progressNotes } from '../../cli/pool/progress.ts';
import { drainWorkersOf, linkOptions, TimeoutError, workersOf } from '../../engine/index.ts';
import { formatCount, formatDuration } from '../../present/human.ts';
import { safeText } from '../../present/safe-text.ts';

const TIMEOUT_MS = 120_000;

export default class PoolDrain extends BaseCommand<typeof PoolDrain> {
  static override summary = 'Ask all workers of a pool, or of a group of it, to hand on their jobs and leave';
  static override description =
    `As "worker drain" for each of them: it takes no more jobs, hands on those it has, and its "worker start" ends with 0. What nobody is left for waits. Waits until they have left, at most --timeout (default ${TIMEOUT_MS / 1000}s); then they still drain. Workers that start meanwhile are not asked.`;
  static override examples = [
    '<%= config.bin %> pool drain --group heavy --yes',
    '<%= config.bin %> pool drain video --no-wait --yes',
  ];
  static override impact = 'destroy' as const;
  static override args = { name: text({ description: 'Pool; default the one of --pool' }) };
  static override flags = {
    ...poolFlags,
    group: Flags.string({ char: 'g', helpValue: 'NAME', description: 'Only the workers of this group' }),
    wait: Flags.boolean({ allowNo: true, description: 'Wait until they have left, default on' }),
    ...changeFlags,
  };

  async run(): Promise<void> {
    const pool = this.args.name ?? this.pool;
    const { group, wait } = this.flags;
    const link = await this.connect({ timeoutMs: linkOptions.commandTimeoutMs.default });
    const workers = await workersOf(link, pool, group);
    const where = group === undefined ? `pool "${pool}"` : `group "${group}" of pool "${pool}"`;
    const what = `${formatCount(workers.length, 'worker')} of ${where}`;
    if (await this.planned(`drain ${what}: ${workers.map(({ id }) => id).join(', ') || 'none'}`)) return;
    if (workers.length > 0) await this.confirm(`Drain ${what}`);
    const timeoutMs = wait === false ? 0 : (this.settings.timeoutMs?.value ?? TIMEOUT_MS);
    const tell = progressNotes(this.output);
    const left = await drainWorkersOf(link, pool, group, {
      timeoutMs,
      onProgress: still => {
        const jobCount = still.reduce((sum, worker) => sum + worker.jobCount, 0);
        if (still.length > 0) tell(`${formatCount(still.length, 'worker')} with ${formatCount(jobCount, 'job')} left`);
      },
    });
    if (wait !== false && left.length > 0) {
      const ids = left.map(({ id }) => id).join(', ');
      throw new TimeoutError(`still there after ${formatDuration(timeoutMs)}, and draining: ${safeText(ids)}`, {
        hint: `"ponos worker list --pool ${pool}" shows what they have.`,
      });
    }
    await this.done(safeText(`${wait === false ? 'told' : 'drained'} ${what}`), pool, {
      group: group ?? null,
      workerCount: workers.length,
      waited: wait !== false,
    });
  }
}
