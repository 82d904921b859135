import { BaseCommand } from '../../cli/base-command.ts';
import { changeFlags, text } from '../../cli/flags.ts';
import {
  findStream,
  refusePartition,
  removeBrokenStream,
  removePartitionedStream,
  removeStream,
} from '../../engine/index.ts';
import { formatCount } from '../../present/human.ts';

export default class StreamRemove extends BaseCommand<typeof StreamRemove> {
  static override summary = 'Remove a stream with its events, its sinks and their dead letters';
  static override description =
    'Whoever publishes to it or reads it learns that it was removed on purpose. A partition is removed with its stream only. A value of another type under one of its keys goes with it. Asks first; --yes answers.';
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
    const { length, sinkCount, deadCount, partitions, broken } = await findStream(link, stream);
    const contents = [
      ...(partitions === null ? [] : [formatCount(partitions, 'partition')]),
      formatCount(length, 'event'),
      formatCount(sinkCount, 'sink'),
      formatCount(deadCount, 'dead letter'),
    ];
    const what = `stream "${stream}" ${broken === null ? `with ${contents.join(', ')}` : `and the value that breaks it: ${broken}`}`;
    if (await this.planned(`remove ${what}`)) return;
    await this.confirm(`Remove ${what}`);
    if (broken !== null) await removeBrokenStream(link, stream);
    else await (partitions === null ? removeStream(link, stream) : removePartitionedStream(link, stream));
    await this.done(`removed ${what}`, stream, broken === null ? { partitions, length, sinkCount, deadCount } : {});
  }
}
