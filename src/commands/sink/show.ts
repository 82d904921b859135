import { BaseCommand } from '../../cli/base-command.ts';
import { text, watchFlags } from '../../cli/flags.ts';
import { showSink } from '../../engine/index.ts';
import { consumerNoun, sinkNoun } from '../../present/nouns/sinks.ts';

export default class SinkShow extends BaseCommand<typeof SinkShow> {
  static override summary = 'Show one sink: how far it is, what is pending, dead and lost, and its consumers';
  static override examples = [
    '<%= config.bin %> sink show orders billing',
    '<%= config.bin %> sink show orders billing --json',
    '<%= config.bin %> sink show orders billing --watch',
  ];
  static override aliases = ['sink:info'];
  static override args = {
    stream: text({ required: true, description: 'Name of the stream' }),
    sink: text({ required: true, description: 'Name of the sink' }),
  };
  static override flags = { ...watchFlags };

  async run(): Promise<void> {
    const link = await this.connect();
    await this.show(async () => {
      const sink = await showSink(link, this.args.stream, this.args.sink);
      await this.output.item(sinkNoun, sink);
      const { format } = this.output.looks;
      if (format !== 'table' && format !== 'wide') return;
      await this.output.line('');
      await this.output.list(consumerNoun, sink.consumers, { empty: 'It has no consumers now.' });
    });
  }
}
