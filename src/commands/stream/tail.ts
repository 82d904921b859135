import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../cli/base-command.ts';
import { UsageError } from '../../cli/errors.ts';
import { text } from '../../cli/flags.ts';
import { eventFilter } from '../../cli/stream/event-filter.ts';
import { EventPrinter } from '../../cli/stream/event-printer.ts';
import { RateMeter } from '../../cli/stream/rate-meter.ts';
import { type TailOptions, tail, withPartitions } from '../../cli/stream/tail.ts';
import { endAt } from '../../cli/stream/tail-end.ts';
import { startFrom } from '../../cli/stream/tail-start.ts';
import { type RedisLink, startOfLast } from '../../engine/index.ts';

const LONGEST_TIMER_MS = 2 ** 31 - 1;

export default class StreamTail extends BaseCommand<typeof StreamTail> {
  static override summary = 'Follow streams: each event as it comes, until Ctrl-C';
  static override description =
    `Without --from, --since or --last it starts at the end, with --no-follow at the beginning. A stream that does not exist yet is waited for. Several streams are shown in the order of time as far as their events are there, and then as they come. Of a partitioned stream all partitions are shown, as streams: orders.0 and so on.
With --raw each payload is written byte for byte, and a line feed after it. With -o ndjson each event is a JSON object; a payload that is JSON is nested, one that is no UTF-8 is base64: payloadEncoding says which. Other records say what else happened: gap (events were removed before they were read), disconnected, resync, removed, malformed.
Reading goes on after a lost connection, without loss or repetition.`;
  static override examples = [
    '<%= config.bin %> stream tail orders',
    "<%= config.bin %> stream tail orders payments --since 5m --topic 'eu.*'",
    '<%= config.bin %> stream tail orders --last 20 --event created --grep order -o ndjson',
    '<%= config.bin %> stream tail packages --from oldest --no-follow --raw',
    '<%= config.bin %> stream tail orders payments --since 2026-11-23T19:00:00Z --until 2026-11-23T19:05:00Z',
    '<%= config.bin %> stream tail payments --last 5 -o ndjson',
    '<%= config.bin %> stream tail orders --rate --count 10',
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
      description: 'Start with the last N events of each stream, or partition',
    }),
    until: Flags.string({
      helpValue: 'TIME|ID|5m',
      description: 'End with the events of this time, with this id, or of 5m ago',
    }),
    topic: Flags.string({ helpValue: 'GLOB', description: 'Only events with such a topic' }),
    event: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'GLOB',
      description: 'Only events of such a name; may be given several times',
    }),
    grep: Flags.string({ helpValue: 'REGEXP', description: 'Only events whose payload matches' }),
    count: Flags.integer({ min: 1, helpValue: 'N', description: 'End after N events, with --rate after N lines' }),
    rate: Flags.boolean({
      description: 'How many events come, a line each second, instead of the events',
      exclusive: ['from', 'since', 'last', 'raw'],
    }),
    follow: Flags.boolean({ allowNo: true, description: 'Wait for new events, default on' }),
  };

  async run(): Promise<void> {
    const { topic, count, last, until, rate } = this.flags;
    if (rate && this.flags.follow === false)
      throw new UsageError('--rate counts what comes: it cannot be told not to follow');
    const accepts = eventFilter(this.flags);
    startFrom(this.flags, true);
    const stop = this.untilInterrupted();
    const link = await this.connect();
    const streams = await withPartitions(link, this.args.streams);
    const end = until === undefined ? undefined : await endAt(link, until);
    const follow = this.flags.follow !== false && (end === undefined || end.leftMs > 0);
    const start = startFrom(this.flags, follow);
    const startIn = async (stream: string) => (last === undefined ? start : startOfLast(link, stream, last));
    const signal = end && follow ? AbortSignal.any([stop, this.#after(end.leftMs)]) : stop;
    const options = { streams, startIn, follow, topic, accepts, lastId: end?.lastId, count };
    if (rate) return this.#tailRate(link, options, signal);
    const printer = new EventPrinter(this.output);
    await tail(link, options, printer, signal);
  }

  async #tailRate(link: RedisLink, options: TailOptions, signal: AbortSignal): Promise<void> {
    const meter = new RateMeter(this.output);
    const told = new EventPrinter(this.output);
    const printer = {
      follows: meter.follows.bind(meter),
      event: meter.event.bind(meter),
      note: told.note.bind(told),
      notice: told.notice.bind(told),
    };
    const ended = new AbortController();
    const both = AbortSignal.any([signal, ended.signal]);
    const end = () => ended.abort();
    await Promise.all([
      meter.run(options.count, both).finally(end),
      tail(link, { ...options, count: undefined }, printer, both).finally(end),
    ]);
  }

  /** Aborts after `delayMs`; one too long for a timer never does. */
  #after(delayMs: number): AbortSignal {
    const over = new AbortController();
    if (delayMs > LONGEST_TIMER_MS) return over.signal;
    const timer = setTimeout(() => over.abort(), delayMs);
    this.defer(() => clearTimeout(timer));
    return over.signal;
  }
}
