import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../cli/base-command.ts';
import { text, watchFlags } from '../../cli/flags.ts';
import { listPending } from '../../engine/index.ts';
import { pendingNoun } from '../../present/nouns/sinks.ts';

const DEFAULT_COUNT = 100;

export default class SinkPending extends BaseCommand<typeof SinkPending> {
  static override summary = 'List what a sink was given and has not acknowledged, oldest first';
  static override examples = [
    '<%= config.bin %> sink pending orders billing',
    '<%= config.bin %> sink pending orders billing --count 1000 -o csv',
  ];
  static override args = {
    stream: text({ required: true, description: 'Name of the stream' }),
    sink: text({ required: true, description: 'Name of the sink' }),
  };
  static override flags = {
    count: Flags.integer({ min: 1, helpValue: 'N', description: `At most so many; ${DEFAULT_COUNT} if not given` }),
    ...watchFlags,
  };

  async run(): Promise<void> {
    const link = await this.connect();
    const { stream, sink } = this.args;
    const count = this.flags.count ?? DEFAULT_COUNT;
    await this.show(async () => {
      await this.output.list(pendingNoun, await listPending(link, stream, sink, { count }), {
        empty: `Nothing is pending: sink "${sink}" has acknowledged every event it was given.`,
      });
    });
  }
}
