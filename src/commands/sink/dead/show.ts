import { BaseCommand } from '../../../cli/base-command.ts';
import { text } from '../../../cli/flags.ts';
import { deadArgs } from '../../../cli/sink/dead-flags.ts';
import { showDead } from '../../../engine/index.ts';
import { deadLetterDetailNoun } from '../../../present/nouns/dead-letters.ts';

export default class SinkDeadShow extends BaseCommand<typeof SinkDeadShow> {
  static override summary = 'Show one event a sink gave up on, and why';
  static override description = 'With --raw only the payload is written, byte for byte.';
  static override examples = [
    '<%= config.bin %> sink dead show orders billing 1763900000000-0',
    '<%= config.bin %> sink dead show orders billing 1763900000000-0 --raw > payload',
  ];
  static override aliases = ['sink:dead:info'];
  static override args = { ...deadArgs, id: text({ required: true, description: 'DEAD-ID of the dead letter' }) };

  async run(): Promise<void> {
    const link = await this.connect();
    const { stream, sink, id } = this.args;
    const letter = await showDead(link, stream, sink, id);
    if (letter.malformed !== null) await this.output.warn(`it is no event and has no payload: ${letter.malformed}`);
    await this.output.item(deadLetterDetailNoun, letter);
  }
}
