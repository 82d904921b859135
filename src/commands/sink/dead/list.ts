import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../../cli/base-command.ts';
import { watchFlags } from '../../../cli/flags.ts';
import { deadArgs, deadFilter, deadFilterFlags } from '../../../cli/sink/dead-flags.ts';
import { listDead } from '../../../engine/index.ts';
import { deadLetterNoun } from '../../../present/nouns/dead-letters.ts';

const DEFAULT_LIMIT = 100;

export default class SinkDeadList extends BaseCommand<typeof SinkDeadList> {
  static override summary = 'List the events a sink gave up on, newest first';
  static override description =
    'A dead letter was delivered for the last time without success, was given up by its handler, or is no event. Long payloads are cut in lists; payloadBytes is their size.';
  static override examples = [
    '<%= config.bin %> sink dead list orders billing',
    "<%= config.bin %> sink dead list orders billing --reason 'no card' --since 1h -o wide",
    '<%= config.bin %> sink dead list orders billing --limit 1000 --json',
  ];
  static override aliases = ['sink:dead:ls'];
  static override args = deadArgs;
  static override flags = {
    ...deadFilterFlags,
    limit: Flags.integer({ min: 1, helpValue: 'N', description: `At most so many; ${DEFAULT_LIMIT} if not given` }),
    ...watchFlags,
  };

  async run(): Promise<void> {
    const link = await this.connect();
    const { stream, sink } = this.args;
    const count = this.flags.limit ?? DEFAULT_LIMIT;
    await this.show(async () => {
      const filter = await deadFilter(link, this.flags);
      await this.output.list(deadLetterNoun, await listDead(link, stream, sink, { ...filter, count }), {
        empty: `No such dead letters: sink "${sink}" has given up on nothing that matches.`,
      });
    });
  }
}
