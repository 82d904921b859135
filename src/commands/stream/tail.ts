import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../cli/base-command.ts';
import { text } from '../../cli/flags.ts';
import { eventFilter } from '../../cli/stream/event-filter.ts';
import { EventPrinter } from '../../cli/stream/event-printer.ts';
import { tail } from '../../cli/stream/tail.ts';
import { startFrom } from '../../cli/stream/tail-start.ts';
import { startOfLast } from '../../engine/index.ts';

export default class StreamTail extends BaseCommand<typeof StreamTail> {
  static override summary = 'Follow streams: each event as it comes, until Ctrl-C';
  static override description =
    `Without --from, --since or --last it starts at the end, with --no-follow at the beginning. A stream that does not exist yet is waited for.
With --raw each payload is written byte for byte, and a line feed after it. With -o ndjson each event is a JSON object; a payload that is JSON is nested, one that is no UTF-8 is base64: payloadEncoding says which. Other records say what else happened: gap (events were removed before they were read), disconnected, resync, removed, malformed.
Reading goes on after a lost connection, without loss or repetition.`;
  static override examples = [
    '<%= config.bin %> stream tail orders',
    "<%= config.bin %> stream tail orders payments --since 5m --topic 'eu.*'",
    '<%= config.bin %> stream tail orders --last 20 --event created --grep order -o ndjson',
    '<%= config.bin %> stream tail packages --from oldest --no-follow --raw',
  ];
  static override streaming = true;
  static override args = {
    streams: text({ required: true, multiple: true, description: 'Names of the streams' }),
  };
  static override flags = {
    from: Flags.string({
      helpValue: 'oldest|newest|ID',
      description: 'Start at the oldest event, after the newest, or after the one with this id',
      exclusive: ['since', 'last'],
    }),
    since: Flags.string({
      helpValue: '5m',
      description: 'Start with the events of the last 5m, or since a time',
      exclusive: ['last'],
    }),
    last: Flags.integer({
      min: 1,
      helpValue: 'N',
      description: 'Start with the last N events of each stream',
    }),
    topic: Flags.string({ helpValue: 'GLOB', description: 'Only events with such a topic' }),
    event: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'GLOB',
      description: 'Only events of such a name; may be given several times',
    }),
    grep: Flags.string({ helpValue: 'REGEXP', description: 'Only events whose payload matches' }),
    count: Flags.integer({ min: 1, helpValue: 'N', description: 'End after N events' }),
    follow: Flags.boolean({ allowNo: true, description: 'Wait for new events, default on' }),
  };

  async run(): Promise<void> {
    const { topic, count, last } = this.flags;
    const follow = this.flags.follow !== false;
    const start = startFrom(this.flags, follow);
    const accepts = eventFilter(this.flags);
    const streams = [...new Set(this.args.streams)];
    const stop = this.untilInterrupted();
    const link = await this.connect();
    const startIn = async (stream: string) => (last === undefined ? start : startOfLast(link, stream, last));
    const printer = new EventPrinter(this.output, { showStream: streams.length > 1 });
    await tail(link, { streams, startIn, follow, topic, accepts, count }, printer, stop);
  }
}
