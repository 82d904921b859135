import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../cli/base-command.ts';
import { changeFlags, duration, poolFlags, text, time } from '../../cli/flags.ts';
import { payloadOf } from '../../cli/stdin.ts';
import { addSchedule, checkSchedule, type Schedule, showSchedule } from '../../engine/index.ts';
import { formatDuration, formatTime, formatZonedTime } from '../../present/human.ts';
import { scheduleDetailNoun } from '../../present/nouns/schedules.ts';

export default class ScheduleAdd extends BaseCommand<typeof ScheduleAdd> {
  static override summary = 'Dispatch a job again and again, by a cron expression or an interval';
  static override description =
    `Each tick dispatches the job once, whatever crashes, as long as a worker of the pool is there. While there is a job of the key, a tick has what it wants and dispatches nothing.
The same again changes nothing; another schedule of the name ends with 4, unless --replace is given. Ticks that came up when nobody was there are missed: --misfire says what becomes of them.
A cron expression has five fields (minute, hour, day, month, weekday), or six with seconds first.`;
  static override examples = [
    `<%= config.bin %> schedule add nightly --cron '30 3 * * *' --time-zone Europe/Paris --key report`,
    `<%= config.bin %> schedule add poll --every 10s --key poll-7 --payload '{"tenant":7}' --misfire skip`,
    `<%= config.bin %> schedule add hourly --cron '0 * * * *' --misfire all --max-misfires 24 --replace`,
  ];
  static override impact = 'write' as const;
  static override args = { name: text({ required: true, description: 'Name of the schedule' }) };
  static override flags = {
    ...poolFlags,
    cron: Flags.string({
      helpValue: 'EXPRESSION',
      description: 'When, as a cron expression',
      exactlyOne: ['cron', 'every'],
    }),
    'time-zone': Flags.string({
      helpValue: 'ZONE',
      description: 'Of the cron expression, as Europe/Paris; default UTC',
      dependsOn: ['cron'],
    }),
    every: duration({ helpValue: '10s', description: 'When, as an interval', exactlyOne: ['cron', 'every'] }),
    start: time({ description: 'The first tick of an interval; default one interval from now', dependsOn: ['every'] }),
    key: Flags.string({ helpValue: 'KEY', description: 'Key of the job; default the name' }),
    payload: Flags.string({ helpValue: 'TEXT|-', description: 'Payload, or - for standard input; default empty' }),
    misfire: Flags.string({
      options: ['skip', 'one', 'all'],
      helpValue: 'POLICY',
      description: 'Missed ticks: skip them, one for all of them (default), or all, each after the one before',
    }),
    'max-misfires': Flags.integer({
      min: 1,
      helpValue: 'N',
      description: 'With --misfire all: how many at most, the last ones; default 100',
    }),
    tolerance: duration({ helpValue: '2s', description: 'How late a tick may come up and is not missed' }),
    attempts: Flags.integer({ helpValue: 'N', min: 0, description: 'Attempts before a job is dead; 0 never gives up' }),
    backoff: duration({ helpValue: '1s', description: 'Wait before the second attempt; then it doubles' }),
    replace: Flags.boolean({ description: 'Take the place of another schedule of that name' }),
    ...changeFlags,
  };

  async run(): Promise<void> {
    const { name } = this.args;
    const { cron, every, key = name } = this.flags;
    const when = cron === undefined ? `every ${formatDuration(every ?? 0)}` : `by "${cron}"`;
    const schedule = this.#schedule(key, await payloadOf(this.flags.payload));
    const link = await this.connect();
    const options = { replace: this.flags.replace === true };
    const what = `dispatch job "${key}" to pool "${this.pool}" ${when}, as schedule "${name}"`;
    const look = async () => {
      const outcome = await checkSchedule(link, this.pool, name, schedule, options);
      if (outcome === 'unchanged') return `nothing: schedule "${name}" is there, and the same`;
      return outcome === 'replaced' ? `${what}, in place of another one` : what;
    };
    if (await this.planned(what, look)) return;
    const outcome = await addSchedule(link, this.pool, name, schedule, options);
    const shown = await showSchedule(link, this.pool, name);
    if (this.output.looks.format !== 'table') await this.output.item(scheduleDetailNoun, shown);
    const { nextAtMs, timeZone } = shown;
    const next =
      nextAtMs === null
        ? 'it is paused'
        : `next ${formatZonedTime(nextAtMs, timeZone ?? undefined)}, ${formatTime(nextAtMs)}`;
    await this.output.note(`schedule "${name}" ${outcome}; ${next}`);
  }

  #schedule(key: string, payload: Uint8Array): Schedule {
    const { cron, every, start, misfire, tolerance, attempts, backoff } = this.flags;
    const options = {
      key,
      payload,
      misfire: misfire as Schedule['misfire'],
      maxMisfires: this.flags['max-misfires'],
      toleranceMs: tolerance,
      attempts,
      backoffMs: backoff,
    };
    if (cron !== undefined) return { ...options, cron, timeZone: this.flags['time-zone'] };
    return { ...options, everyMs: every ?? 0, startAtMs: start };
  }
}
