import { BaseCommand } from '../../cli/base-command.ts';
import { poolFlags, watchFlags } from '../../cli/flags.ts';
import { listSchedules } from '../../engine/index.ts';
import { scheduleNoun } from '../../present/nouns/schedules.ts';

export default class ScheduleList extends BaseCommand<typeof ScheduleList> {
  static override summary = 'List the schedules and tickers of a pool';
  static override description =
    'A ticker runs a callback of the nodes that hold it open; a schedule dispatches a job. FAILING is one whose tick is due and could not be acted for: "schedule show" says why.';
  static override examples = ['<%= config.bin %> schedule list', '<%= config.bin %> schedule list -o wide --watch'];
  static override aliases = ['schedule:ls'];
  static override flags = { ...poolFlags, ...watchFlags };

  async run(): Promise<void> {
    const link = await this.connect();
    await this.show(async () => {
      await this.output.list(scheduleNoun, await listSchedules(link, this.pool), {
        empty: `Pool "${this.pool}" has no schedules. Add one: ponos schedule add poll --every 10s --key poll`,
      });
    });
  }
}
