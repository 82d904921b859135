import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../cli/base-command.ts';
import { changeFlags, text } from '../../cli/flags.ts';
import { cutFrom, planTrim } from '../../cli/stream/trim-limit.ts';
import { listStreams, partitionNames, showStream, trimPartitionedStream, trimStream } from '../../engine/index.ts';
import { formatCount } from '../../present/human.ts';
import { trimNoun } from '../../present/nouns/streams.ts';

export default class StreamTrim extends BaseCommand<typeof StreamTrim> {
  static override summary = 'Remove the oldest events of a stream';
  static override description =
    'Events that a sink had not acknowledged are removed too, counted as lost to it, and told. Of a partitioned stream each partition is trimmed: --max-length is what each keeps. Asks first; --yes answers.';
  static override examples = [
    '<%= config.bin %> stream trim orders --max-length 10000',
    '<%= config.bin %> stream trim orders --before 7d --yes',
    '<%= config.bin %> stream trim orders --before 2026-11-01T00:00:00Z --dry-run',
  ];
  static override impact = 'destroy' as const;
  static override args = { stream: text({ required: true, description: 'Name of the stream' }) };
  static override flags = {
    'max-length': Flags.integer({ min: 0, helpValue: 'N', description: 'Keep the newest N', exclusive: ['before'] }),
    before: Flags.string({ helpValue: '7d', description: 'Remove those older than 7d, than a time, or than an id' }),
    ...changeFlags,
  };

  async run(): Promise<void> {
    const cut = cutFrom({ maxLength: this.flags['max-length'], before: this.flags.before });
    const link = await this.connect();
    const { stream } = this.args;
    const { length, partitions } = await showStream(link, stream);
    const parts = partitions === null ? [{ length }] : await listStreams(link, partitionNames(stream, partitions));
    const lengths = parts.map(part => part.length);
    const { limit, words } = await planTrim(link, cut, lengths);
    const what = `${words} of stream "${stream}" with ${formatCount(length, 'event')}`;
    if (await this.planned(`remove ${what}`)) return;
    await this.confirm(`Remove ${what}`);
    const { removedCount, lost } = await (partitions === null ? trimStream : trimPartitionedStream)(
      link,
      stream,
      limit,
    );
    for (const [sink, count] of lost) {
      await this.output.warn(`sink "${sink}" had not acknowledged ${formatCount(count, 'event')} of them: lost to it`);
    }
    if (this.output.looks.formatGiven) {
      await this.output.item(trimNoun, { stream, removedCount, lost: Object.fromEntries(lost) });
    } else await this.output.line(String(removedCount));
    await this.output.note(`removed ${formatCount(removedCount, 'event')} of stream "${stream}"`);
  }
}
