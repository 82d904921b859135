import { BaseCommand } from '../../cli/base-command.ts';
import { changeFlags, poolFlags, text } from '../../cli/flags.ts';
import { removeSchedule, showSchedule } from '../../engine/index.ts';

export default class ScheduleRemove extends BaseCommand<typeof ScheduleRemove> {
  static override summary = 'Remove a schedule or ticker';
  static override description =
    'Jobs it dispatched stay. A ticker is made again when a node opens it. Asks first; --yes answers.';
  static override examples = [
    '<%= config.bin %> schedule remove nightly --dry-run',
    '<%= config.bin %> schedule remove nightly --yes',
  ];
  static override aliases = ['schedule:rm'];
  static override impact = 'destroy' as const;
  static override args = { name: text({ required: true, description: 'Name of the schedule' }) };
  static override flags = { ...poolFlags, ...changeFlags };

  async run(): Promise<void> {
    const { name } = this.args;
    const link = await this.connect();
    const { kind } = await showSchedule(link, this.pool, name);
    const what = `${kind === 'job' ? 'schedule' : 'ticker'} "${name}" of pool "${this.pool}"`;
    if (await this.planned(`remove ${what}`)) return;
    await this.confirm(`Remove ${what}`);
    await removeSchedule(link, this.pool, name);
    await this.done(`removed ${what}`, name, { pool: this.pool });
  }
}
