import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../cli/base-command.ts';
import { UsageError } from '../../cli/errors.ts';
import { changeFlags, text } from '../../cli/flags.ts';
import { retentionFlags, retentionFrom } from '../../cli/stream/retention-flags.ts';
import {
  createPartitionedStream,
  createStream,
  ExistsError,
  NotFoundError,
  partitionOptions,
  showStream,
} from '../../engine/index.ts';
import { formatCount } from '../../present/human.ts';

export default class StreamCreate extends BaseCommand<typeof StreamCreate> {
  static override summary = 'Make a stream, with limits on what is kept of it';
  static override description =
    'Publishing makes a stream too, one without limits. Events that every sink has acknowledged make room for new ones; when there is none left, --on-full says what happens.\n' +
    'With --partitions it is divided into so many partitions, for good: a key says to which of them an event goes, and each is read by one process of a PartitionedSink at a time, so that order holds for each key. Nothing but this, or a program, makes such a stream. The limits are those of each partition, so --max-length 1000 --partitions 8 keeps 8000 events.';
  static override examples = [
    '<%= config.bin %> stream create orders --max-length 100000 --max-age 7d',
    '<%= config.bin %> stream create metrics --max-bytes 64MiB --on-full drop-oldest',
    '<%= config.bin %> stream create session-17 --ttl 1h --sliding',
    '<%= config.bin %> stream create payments --partitions 8 --max-age 7d',
  ];
  static override impact = 'write' as const;
  static override args = { stream: text({ required: true, description: 'Name of the stream' }) };
  static override flags = {
    partitions: Flags.integer({
      min: partitionOptions.partitions.min,
      max: partitionOptions.partitions.max,
      helpValue: 'N',
      description: 'Divide it into so many; the limits are those of each',
    }),
    ...retentionFlags,
    ...changeFlags,
  };

  async run(): Promise<void> {
    const { stream } = this.args;
    const retention = retentionFrom(this.flags);
    const { partitions, sliding, ttl } = this.flags;
    if (sliding && !ttl) throw new UsageError('--sliding says how --ttl counts: give that too');
    const what = `stream "${stream}"${partitions === undefined ? '' : ` with ${formatCount(partitions, 'partition')}`}`;
    const link = await this.connect();
    const look = async () => {
      await showStream(link, stream).then(
        () => {
          throw new ExistsError('stream', stream);
        },
        (error: unknown) => {
          if (!(error instanceof NotFoundError)) throw error;
        },
      );
    };
    if (await this.planned(`make ${what}`, look)) return;
    await (partitions === undefined
      ? createStream(link, stream, retention)
      : createPartitionedStream(link, stream, partitions, retention));
    await this.done(`made ${what}`, stream, { partitions: partitions ?? null });
  }
}
