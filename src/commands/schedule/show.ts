import { BaseCommand } from '../../cli/base-command.ts';
import { poolFlags, text, watchFlags } from '../../cli/flags.ts';
import { showSchedule } from '../../engine/index.ts';
import { scheduleDetailNoun } from '../../present/nouns/schedules.ts';

export default class ScheduleShow extends BaseCommand<typeof ScheduleShow> {
  static override summary = 'Show one schedule or ticker: when it ticks next, what it dispatches, what went wrong';
  static override description = 'With --raw writes the payload of its job, byte for byte.';
  static override examples = [
    '<%= config.bin %> schedule show nightly',
    '<%= config.bin %> schedule show nightly --json',
  ];
  static override aliases = ['schedule:info'];
  static override args = { name: text({ required: true, description: 'Name of the schedule' }) };
  static override flags = { ...poolFlags, ...watchFlags };

  async run(): Promise<void> {
    const link = await this.connect();
    await this.show(async () =>
      this.output.item(scheduleDetailNoun, await showSchedule(link, this.pool, this.args.name)),
    );
  }
}
