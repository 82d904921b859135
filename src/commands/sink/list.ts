import { BaseCommand } from '../../cli/base-command.ts';
import { reportBroken } from '../../cli/broken.ts';
import { text, watchFlags } from '../../cli/flags.ts';
import { listSinks } from '../../engine/index.ts';
import { sinkNoun } from '../../present/nouns/sinks.ts';

export default class SinkList extends BaseCommand<typeof SinkList> {
  static override summary = 'List the sinks of a stream, or of all';
  static override description =
    'A sink is a named cursor that many processes share (a consumer group). LAG is what it has not been given yet: ? when Redis cannot know it, ~n when it is an estimate. PENDING was given and is not acknowledged. Each partition of a partitioned stream has sinks of its own, which the other commands take: orders.3 billing.';
  static override examples = [
    '<%= config.bin %> sink list',
    '<%= config.bin %> sink list orders -o wide',
    '<%= config.bin %> sink list --watch',
  ];
  static override aliases = ['sink:ls'];
  static override args = { stream: text({ description: 'Only the sinks of this stream' }) };
  static override flags = { ...watchFlags };

  async run(): Promise<void> {
    const link = await this.connect();
    const { stream } = this.args;
    await this.show(async () => {
      const broken: { name: string; broken: string }[] = [];
      const sinks = await listSinks(link, stream, (name, reason) => broken.push({ name, broken: reason }));
      await this.output.list(sinkNoun, sinks, {
        empty: `There are no sinks${stream === undefined ? '' : ` of stream "${stream}"`}. A program makes one: Sink.open(link, 'NAME', { streams: ['${stream ?? 'STREAM'}'] }, handler)`,
      });
      await reportBroken(this.output, 'stream', broken, { ...this.flags, located: this.located });
    });
  }
}
