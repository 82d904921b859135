import * as Flags from '@oclif/core/flags';
import { ActResults } from '../../../cli/act-results.ts';
import { BaseCommand } from '../../../cli/base-command.ts';
import { changeFlags, text } from '../../../cli/flags.ts';
import { chooseLetters, deadArgs, deadFilterFlags, describeLetters } from '../../../cli/sink/dead-flags.ts';
import { PonosError, replayDead, showDead } from '../../../engine/index.ts';
import { deadLetterResultNoun } from '../../../present/nouns/dead-letters.ts';

export default class SinkDeadReplay extends BaseCommand<typeof SinkDeadReplay> {
  static override summary = 'Deliver dead letters again, to the sink that gave up on them';
  static override description =
    `Only that sink gets the event, under its own id and with its deliveries forgotten; the other sinks of the stream see nothing of it. It is no dead letter any more.
That needs the event to be in the stream still. One that is not stays a dead letter (exit 4), unless --publish publishes it again: as a new event, which every sink of the stream gets, with the header ponos-replay-of that holds its old id.
Each is replayed and gone, or neither, also when this command or Redis crashes: it may be typed again.`;
  static override examples = [
    '<%= config.bin %> sink dead replay orders billing 1763900000000-0',
    "<%= config.bin %> sink dead replay orders billing --reason 'no card' --since 1h --dry-run",
    '<%= config.bin %> sink dead replay orders billing --all --publish',
  ];
  static override impact = 'write' as const;
  static override args = { ...deadArgs, ids: text({ multiple: true, description: 'DEAD-IDs of the dead letters' }) };
  static override flags = {
    all: Flags.boolean({ description: 'All dead letters of the sink' }),
    ...deadFilterFlags,
    publish: Flags.boolean({ description: 'Publish those again that are no longer in the stream' }),
    ...changeFlags,
  };

  async run(): Promise<void> {
    const link = await this.connect();
    const { stream, sink, ids } = this.args;
    const { all, reason, since, until, publish } = this.flags;
    const chosen = await chooseLetters(link, stream, sink, { ids, all, reason, since, until });
    const plan = (those: readonly string[]) => `replay ${describeLetters(stream, sink, those)}`;
    // Those of a list are there.
    const look = async (id: string) => (ids ?? []).length === 0 || showDead(link, stream, sink, id);
    if (await this.plannedEach(chosen, look, plan)) return;
    const results = new ActResults(this.output, deadLetterResultNoun, { done: 'replayed', thing: 'dead letter' });
    await replayDead(link, stream, sink, chosen, { publish }, (deadId, result) => {
      const row = { deadId, id: null, error: null };
      if (result instanceof PonosError) results.add({ ...row, status: 'failed' }, result);
      else results.add({ ...row, ...result });
    });
    await results.tell();
  }
}
