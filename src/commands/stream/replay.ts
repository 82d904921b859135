import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../cli/base-command.ts';
import { UsageError } from '../../cli/errors.ts';
import { text } from '../../cli/flags.ts';
import { EventPrinter } from '../../cli/stream/event-printer.ts';
import { Losses } from '../../cli/stream/losses.ts';
import { CopyingReplay, CountingReplay, type ReplayTarget, runReplay } from '../../cli/stream/replay.ts';
import { replayEnd } from '../../cli/stream/tail-end.ts';
import { startFrom } from '../../cli/stream/tail-start.ts';
import { EventStream, ReadOnlyError, Replay, showStream } from '../../engine/index.ts';

export default class StreamReplay extends BaseCommand<typeof StreamReplay> {
  static override summary = 'Read a part of a stream that is over, all of it or an error, and print or copy it';
  static override description =
    `The end is fixed when it begins; what is published meanwhile is not part of it. It ends as complete, or behind --count events, and says so on stderr and in the last record of -o ndjson (complete, or incomplete with lastId: --from that goes on). Events of the part that are gone, or were removed meanwhile, are a failure (REPLAY_GAP, exit 4). What is left of a stream of which the oldest events were trimmed is replayed with --from oldest. Of a partitioned stream one partition is replayed: orders.3.
Prints as "stream tail --no-follow" does. With --into nothing is printed: each event is published in its order to the other stream, with name, payload, topic and headers as they were, and the header ponos-replay-of that holds its id. When that stream is full and drops its oldest events, it warns of what sinks had not acknowledged, as "stream publish" does.`;
  static override examples = [
    '<%= config.bin %> stream replay orders',
    '<%= config.bin %> stream replay orders --from 2026-11-23T19:00:00Z --to 2026-11-23T20:00:00Z -o ndjson',
    '<%= config.bin %> stream replay orders --from 1h --into orders-test --dry-run',
  ];
  static override streaming = true;
  static override args = { stream: text({ required: true, description: 'Name of the stream' }) };
  static override flags = {
    from: Flags.string({
      helpValue: 'oldest|ID|TIME|1h',
      description: 'Start at the oldest event, after the one with this id, at a time, or 1h back; default oldest',
    }),
    to: Flags.string({
      helpValue: 'newest|ID|TIME|5m',
      description: 'End with the newest event, with this id, or with those of a time or 5m ago; default newest',
    }),
    count: Flags.integer({ min: 1, helpValue: 'N', description: 'At most N events' }),
    into: Flags.string({ helpValue: 'STREAM', description: 'Publish them to this stream, instead of printing them' }),
    'dry-run': Flags.boolean({ description: 'With --into: count them, and publish nothing', dependsOn: ['into'] }),
  };

  async run(): Promise<void> {
    const { from, to, count, into } = this.flags;
    if (into !== undefined && this.settings.readOnly?.value) throw new ReadOnlyError('"stream replay --into"');
    if (into === this.args.stream) {
      throw new UsageError('--into names the stream that is replayed: it would have each event twice');
    }
    const start = startFrom({ from }, false);
    const stop = this.untilInterrupted();
    const link = await this.connect({ access: into === undefined ? 'read-only' : 'read-write' });
    const { stream } = this.args;
    await showStream(link, stream);
    const end = await replayEnd(link, to);
    const replay = await Replay.open(link, stream, { from: start, to: end, maxEvents: count });
    const printer = new EventPrinter(this.output);
    let target: ReplayTarget = printer;
    const dryRun = this.flags['dry-run'];
    const losses = new Losses();
    if (dryRun) target = new CountingReplay();
    else if (into !== undefined) {
      const other = await EventStream.open(link, into);
      other.events.on('dataLoss', losses.add);
      target = new CopyingReplay(other);
    }
    try {
      await runReplay(replay, target, printer, stop, { into, dryRun });
    } finally {
      await losses.tell(this.output);
    }
  }
}
