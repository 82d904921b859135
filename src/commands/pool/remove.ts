import { BaseCommand } from '../../cli/base-command.ts';
import { changeFlags, text } from '../../cli/flags.ts';
import { progressNotes } from '../../cli/pool/progress.ts';
import { linkOptions, planPoolRemoval, removePool } from '../../engine/index.ts';
import { formatCount, formatDuration } from '../../present/human.ts';

export default class PoolRemove extends BaseCommand<typeof PoolRemove> {
  static override summary = 'Remove a pool with its dead jobs, schedules and routes';
  static override description =
    'Refused while it has live workers or jobs (exit 4): "pool shutdown" stops the jobs, "pool drain" lets the workers leave. A process that still has it open finds it no more and does not make it anew; whoever opens it afterwards, and may make it, begins a new one. Waits for the leases of workers that are gone, at most --timeout (default 30s). One that was interrupted is ended by another. Asks first; --yes answers.';
  static override examples = [
    '<%= config.bin %> pool remove video --dry-run',
    '<%= config.bin %> pool remove video --yes',
  ];
  static override aliases = ['pool:rm'];
  static override impact = 'destroy' as const;
  static override args = { pool: text({ required: true, description: 'Name of the pool' }) };
  static override flags = { ...changeFlags };

  async run(): Promise<void> {
    const { pool } = this.args;
    const link = await this.connect({ timeoutMs: linkOptions.commandTimeoutMs.default });
    const { deadCount, scheduleCount, routeCount, interrupted } = await planPoolRemoval(link, pool);
    const contents = [
      formatCount(deadCount, 'dead job'),
      formatCount(scheduleCount, 'schedule'),
      formatCount(routeCount, 'route'),
    ];
    const what = interrupted ? `what is left of pool "${pool}"` : `pool "${pool}" with ${contents.join(', ')}`;
    if (await this.planned(`remove ${what}`)) return;
    await this.confirm(`Remove ${what}`);
    const tell = progressNotes(this.output);
    await removePool(link, pool, {
      timeoutMs: this.settings.timeoutMs?.value,
      onWait: leftMs =>
        tell(`leases of workers that are gone are not over yet: at most ${formatDuration(leftMs)} left`),
    });
    await this.done(`removed ${what}`, pool, { deadCount, scheduleCount, routeCount });
  }
}
