import { BaseCommand } from '../../cli/base-command.ts';
import { changeFlags, text } from '../../cli/flags.ts';
import { refusePartition, removePartitionedStream, removeStream, showStream } from '../../engine/index.ts';
import { formatCount } from '../../present/human.ts';

export default class StreamRemove extends BaseCommand<typeof StreamRemove> {
  static override summary = 'Remove a stream with its events, its sinks and their dead letters';
  static override description =
    'Whoever publishes to it or reads it learns that it was removed on purpose. A partition is removed with its stream only. Asks first; --yes answers.';
  static override examples = [
    '<%= config.bin %> stream remove orders --dry-run',
    '<%= config.bin %> stream remove orders --yes',
  ];
  static override aliases = ['stream:rm'];
  static override impact = 'destroy' as const;
  static override args = { stream: text({ required: true, description: 'Name of the stream' }) };
  static override flags = { ...changeFlags };

  async run(): Promise<void> {
    const link = await this.connect();
    const { stream } = this.args;
    await refusePartition(link, stream);
    const { length, sinkCount, deadCount, partitions } = await showStream(link, stream);
    const contents = [
      ...(partitions === null ? [] : [formatCount(partitions, 'partition')]),
      formatCount(length, 'event'),
      formatCount(sinkCount, 'sink'),
      formatCount(deadCount, 'dead letter'),
    ];
    const what = `stream "${stream}" with ${contents.join(', ')}`;
    if (await this.planned(`remove ${what}`)) return;
    await this.confirm(`Remove ${what}`);
    await (partitions === null ? removeStream(link, stream) : removePartitionedStream(link, stream));
    await this.done(`removed ${what}`, stream, { partitions, length, sinkCount, deadCount });
  }
}
