import { BaseCommand } from '../../cli/base-command.ts';
import { changeFlags, poolFlags, text } from '../../cli/flags.ts';
import { pauseSchedule, showSchedule } from '../../engine/index.ts';

export default class SchedulePause extends BaseCommand<typeof SchedulePause> {
  static override summary = 'Let a schedule or ticker tick no more until it is resumed';
  static override description = 'Jobs it dispatched go on. Ticks of the pause are not made up for.';
  static override examples = ['<%= config.bin %> schedule pause nightly'];
  static override impact = 'write' as const;
  static override args = { name: text({ required: true, description: 'Name of the schedule' }) };
  static override flags = { ...poolFlags, ...changeFlags };

  async run(): Promise<void> {
    const { name } = this.args;
    const link = await this.connect();
    const plan = `pause schedule "${name}" of pool "${this.pool}"`;
    if (await this.planned(plan, () => showSchedule(link, this.pool, name))) return;
    await pauseSchedule(link, this.pool, name);
    await this.done(`schedule "${name}" is paused`, name, { pool: this.pool });
  }
}
