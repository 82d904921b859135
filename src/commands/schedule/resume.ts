import { BaseCommand } from '../../cli/base-command.ts';
import { changeFlags, poolFlags, text } from '../../cli/flags.ts';
import { resumeSchedule, showSchedule } from '../../engine/index.ts';
import { formatTime, formatZonedTime } from '../../present/human.ts';

export default class ScheduleResume extends BaseCommand<typeof ScheduleResume> {
  static override summary = 'Let a paused schedule or ticker go on';
  static override description = 'With the first tick from now on.';
  static override examples = ['<%= config.bin %> schedule resume nightly'];
  static override impact = 'write' as const;
  static override args = { name: text({ required: true, description: 'Name of the schedule' }) };
  static override flags = { ...poolFlags, ...changeFlags };

  async run(): Promise<void> {
    const { name } = this.args;
    const link = await this.connect();
    const plan = `resume schedule "${name}" of pool "${this.pool}"`;
    if (await this.planned(plan, () => showSchedule(link, this.pool, name))) return;
    await resumeSchedule(link, this.pool, name);
    const { nextAtMs, timeZone } = await showSchedule(link, this.pool, name);
    const next =
      nextAtMs === null ? '' : `; next ${formatZonedTime(nextAtMs, timeZone ?? undefined)}, ${formatTime(nextAtMs)}`;
    await this.done(`schedule "${name}" goes on${next}`, name, { pool: this.pool, nextAtMs });
  }
}
