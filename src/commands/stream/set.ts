import { BaseCommand } from '../../cli/base-command.ts';
import { UsageError } from '../../cli/errors.ts';
import { changeFlags, text } from '../../cli/flags.ts';
import { describeLimits } from '../../cli/stream/limits-plan.ts';
import { retentionFlags, retentionFrom } from '../../cli/stream/retention-flags.ts';
import {
  planPartitionedRetention,
  planRetention,
  setPartitionedRetention,
  setRetention,
  showStream,
} from '../../engine/index.ts';
import { formatCount } from '../../present/human.ts';
import { retentionNoun, retentionText } from '../../present/nouns/streams.ts';

export default class StreamSet extends BaseCommand<typeof StreamSet> {
  static override summary = 'Change what is kept of a stream';
  static override description =
    `What is not given stays; 0 takes a limit away. What is over the limits goes at once: what every sink has acknowledged, with drop-oldest the rest too, counted as lost. Producers at work follow within about a second. The limits of a partitioned stream are those of each partition.
Says what would change and go, and asks first; --yes answers. "stream show" shows the limits.`;
  static override examples = [
    '<%= config.bin %> stream set orders --max-length 100000 --yes',
    '<%= config.bin %> stream set orders --max-age 7d --max-length 0 --yes',
    '<%= config.bin %> stream set orders --on-full drop-oldest --dry-run',
  ];
  static override impact = 'destroy' as const;
  static override args = { stream: text({ required: true, description: 'Name of the stream' }) };
  static override flags = { ...retentionFlags, ...changeFlags };

  async run(): Promise<void> {
    const { stream } = this.args;
    const changes = retentionFrom(this.flags);
    if (Object.values(changes).every(value => value === undefined)) {
      throw new UsageError('nothing says what to change', { hint: 'Add --max-length 10000 or another limit.' });
    }
    const link = await this.connect();
    const { length, partitions } = await showStream(link, stream);
    const plans = await (partitions === null
      ? planRetention(link, stream, changes).then(plan => [plan])
      : planPartitionedRetention(link, stream, changes));
    const what = `change the limits of stream "${stream}" with ${formatCount(length, 'event')} ${describeLimits(plans)}`;
    if (await this.planned(what)) return;
    await this.confirm(`C${what.slice(1)}`);
    const change = partitions === null ? setRetention : setPartitionedRetention;
    const { retention = null, removedCount, lost } = await change(link, stream, changes);
    for (const [sink, count] of lost) {
      await this.output.warn(`sink "${sink}" had not acknowledged ${formatCount(count, 'event')} of them: lost to it`);
    }
    if (this.output.looks.formatGiven) {
      await this.output.item(retentionNoun, { stream, retention, removedCount, lost: Object.fromEntries(lost) });
    }
    const kept = retentionText(retention) ?? 'no limits';
    await this.output.note(`stream "${stream}": ${kept}; removed ${formatCount(removedCount, 'event')}`);
  }
}
