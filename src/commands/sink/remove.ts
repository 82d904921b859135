import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../cli/base-command.ts';
import { changeFlags, text } from '../../cli/flags.ts';
import { planSinkRemoval, removeSink } from '../../engine/index.ts';
import { formatCount } from '../../present/human.ts';
import { lagText } from '../../present/lag.ts';

export default class SinkRemove extends BaseCommand<typeof SinkRemove> {
  static override summary = 'Remove a sink from a stream, with its cursor, counters and dead letters';
  static override description =
    'Refused while consumers live (exit 4), unless --force: then they are told by the event "removed", and do not make it anew. Whoever opens the sink again begins as with a new one. The events stay. Of a partitioned stream it is removed from every partition. Asks first; --yes answers.';
  static override examples = [
    '<%= config.bin %> sink remove orders billing --dry-run',
    '<%= config.bin %> sink remove orders billing --yes',
  ];
  static override aliases = ['sink:rm'];
  static override impact = 'destroy' as const;
  static override args = {
    stream: text({ required: true, description: 'Name of the stream' }),
    sink: text({ required: true, description: 'Name of the sink' }),
  };
  static override flags = {
    force: Flags.boolean({ description: 'Also while it has live consumers' }),
    ...changeFlags,
  };

  async run(): Promise<void> {
    const link = await this.connect();
    const { stream, sink } = this.args;
    const { force } = this.flags;
    const { partitionCount, lag, pendingCount, deadCount } = await planSinkRemoval(link, stream, sink, { force });
    const of = partitionCount === null ? '' : `in ${formatCount(partitionCount, 'partition')} `;
    const contents = `${lagText(lag)} events to come, ${pendingCount} pending, ${formatCount(deadCount, 'dead letter')}`;
    const what = `sink "${sink}" of stream "${stream}" ${of}with ${contents}`;
    if (await this.planned(`remove ${what}`)) return;
    await this.confirm(`Remove ${what}`);
    await removeSink(link, stream, sink, { force });
    await this.done(`removed ${what}`, sink, { stream, lagCount: lag.count, pendingCount, deadCount });
  }
}
