import { BaseCommand } from '../../cli/base-command.ts';
import { text, watchFlags } from '../../cli/flags.ts';
import { listSinks, showStream } from '../../engine/index.ts';
import { sinkNoun } from '../../present/nouns/sinks.ts';
import { streamDetailNoun } from '../../present/nouns/streams.ts';

export default class StreamShow extends BaseCommand<typeof StreamShow> {
  static override summary = 'Show one stream and its sinks';
  static override examples = [
    '<%= config.bin %> stream show orders',
    '<%= config.bin %> stream show orders --json',
    '<%= config.bin %> stream show orders --watch',
  ];
  static override aliases = ['stream:info'];
  static override args = { stream: text({ required: true, description: 'Name of the stream' }) };
  static override flags = { ...watchFlags };

  async run(): Promise<void> {
    const link = await this.connect();
    const { stream } = this.args;
    await this.show(async () => {
      const [snapshot, sinks] = await Promise.all([showStream(link, stream), listSinks(link, stream)]);
      await this.output.item(streamDetailNoun, { ...snapshot, sinks });
      const { format } = this.output.looks;
      if (format !== 'table' && format !== 'wide') return;
      if (sinks.length > 0) await this.output.line('');
      await this.output.list(sinkNoun, sinks, { empty: 'No sink reads it.' });
    });
  }
}
