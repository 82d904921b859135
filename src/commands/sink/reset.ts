import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../cli/base-command.ts';
import { changeFlags, text } from '../../cli/flags.ts';
import { describeReset } from '../../cli/sink/describe-reset.ts';
import { startFrom } from '../../cli/stream/tail-start.ts';
import { planReset, resetSink } from '../../engine/index.ts';
import { resetNoun } from '../../present/nouns/sinks.ts';

export default class SinkReset extends BaseCommand<typeof SinkReset> {
  static override summary = 'Move the cursor of a sink: deliver again, or skip';
  static override description =
    `The sink goes on with the oldest event, behind the newest, behind an id, or with the events since a time or for a duration back.
What is pending behind that is delivered again like everything there. What is pending before it is lost to the sink, unless --keep-pending; that, and what is skipped without ever having been delivered, is added to its LOST. Dead letters stay.
Refused while consumers live (exit 4), unless --force: handlers at work on what is no longer theirs are told within seconds. Asks first and says how much is delivered again and how much is skipped; --yes answers. Writes the new cursor.`;
  static override examples = [
    '<%= config.bin %> sink reset orders billing --to oldest --dry-run',
    '<%= config.bin %> sink reset orders billing --to 1h --yes',
    '<%= config.bin %> sink reset orders billing --to 1763900000000-0 --keep-pending --yes',
  ];
  static override impact = 'destroy' as const;
  static override args = {
    stream: text({ required: true, description: 'Name of the stream' }),
    sink: text({ required: true, description: 'Name of the sink' }),
  };
  static override flags = {
    to: Flags.string({
      required: true,
      helpValue: 'oldest|newest|ID|TIME',
      description: 'Where it goes on; a duration counts back from now',
    }),
    'keep-pending': Flags.boolean({ description: 'Leave pending what is pending before that' }),
    force: Flags.boolean({ description: 'Also while it has live consumers' }),
    ...changeFlags,
  };

  async run(): Promise<void> {
    const options = {
      to: startFrom({ from: this.flags.to }, false),
      keepPending: this.flags['keep-pending'],
      force: this.flags.force,
    };
    const link = await this.connect();
    const { stream, sink } = this.args;
    const plan = await planReset(link, stream, sink, options);
    const what = `sink "${sink}" of stream "${stream}"`;
    const { formatGiven } = this.output.looks;
    if (this.flags['dry-run'] && formatGiven) return this.output.item(resetNoun, plan);
    if (await this.planned(`reset ${what} ${describeReset(plan)}`)) return;
    await this.confirm(`Reset ${what} ${describeReset(plan)}`);
    const done = await resetSink(link, stream, sink, options);
    if (formatGiven) await this.output.item(resetNoun, done);
    else await this.output.line(done.toId);
    await this.output.note(`reset ${what} ${describeReset(done)}`);
  }
}
