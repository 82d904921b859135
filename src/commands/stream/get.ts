import { BaseCommand } from '../../cli/base-command.ts';
import { text } from '../../cli/flags.ts';
import { showEvent } from '../../engine/index.ts';
import { eventDetailNoun } from '../../present/nouns/event-details.ts';

export default class StreamGet extends BaseCommand<typeof StreamGet> {
  static override summary = 'Show one event of a stream';
  static override description =
    'With --raw only the payload is written, byte for byte. Of a partitioned stream the partition is named: orders.3.';
  static override examples = [
    '<%= config.bin %> stream get orders 1763900000000-0',
    '<%= config.bin %> stream get orders 1763900000000-0 --json',
    '<%= config.bin %> stream get orders 1763900000000-0 --raw > payload',
  ];
  static override args = {
    stream: text({ required: true, description: 'Name of the stream' }),
    id: text({ required: true, description: 'Id of the event' }),
  };

  async run(): Promise<void> {
    const link = await this.connect();
    const event = await showEvent(link, this.args.stream, this.args.id);
    if (event.malformed !== null) await this.output.warn(`it is no event and has no payload: ${event.malformed}`);
    await this.output.item(eventDetailNoun, event);
  }
}
