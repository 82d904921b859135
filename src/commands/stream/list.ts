import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../cli/base-command.ts';
import { reportBroken } from '../../cli/broken.ts';
import { duration, watchFlags } from '../../cli/flags.ts';
import { listPartitionedStreams, listStreams } from '../../engine/index.ts';
import { streamNoun } from '../../present/nouns/streams.ts';

export default class StreamList extends BaseCommand<typeof StreamList> {
  static override summary = 'List the streams there are';
  static override description =
    'A partitioned stream is shown as the sum of its partitions, which are shown too. MAX-LAG is that of the sink farthest behind: ? when Redis cannot know it, ~n when it is an estimate.';
  static override examples = [
    '<%= config.bin %> stream list',
    '<%= config.bin %> stream list --idle 1h -o name',
    '<%= config.bin %> stream list --watch --every 1s',
  ];
  static override aliases = ['stream:ls'];
  static override flags = {
    idle: duration({ helpValue: '1h', description: 'Only those without a new event for so long' }),
    empty: Flags.boolean({ description: 'Only those that hold no event' }),
    ...watchFlags,
  };

  async run(): Promise<void> {
    const link = await this.connect();
    const { idle, empty } = this.flags;
    await this.show(async () => {
      const idleBeforeMs = idle === undefined ? undefined : Date.now() - idle;
      const both = await Promise.all([listStreams(link), listPartitionedStreams(link)]);
      const streams = both
        .flat()
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .filter(
          stream =>
            stream.broken !== null ||
            ((idleBeforeMs === undefined || stream.lastAtMs === null || stream.lastAtMs <= idleBeforeMs) &&
              (!empty || stream.length === 0)),
        );
      await this.output.list(streamNoun, streams, {
        empty: `There are no ${idle !== undefined || empty ? 'such ' : ''}streams. The first event makes one: ponos stream publish STREAM EVENT '{}'`,
      });
      await reportBroken(this.output, 'stream', streams, { ...this.flags, located: this.located });
    });
  }
}
