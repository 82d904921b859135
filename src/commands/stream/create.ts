import { BaseCommand } from '../../cli/base-command.ts';
import { changeFlags, text } from '../../cli/flags.ts';
import { retentionFlags, retentionFrom } from '../../cli/stream/retention-flags.ts';
import { createStream } from '../../engine/index.ts';

export default class StreamCreate extends BaseCommand<typeof StreamCreate> {
  static override summary = 'Make a stream, with limits on what is kept of it';
  static override description =
    'Publishing makes a stream too, one without limits. Events that every sink has acknowledged make room for new ones; when there is none left, --on-full says what happens.';
  static override examples = [
    '<%= config.bin %> stream create orders --max-length 100000 --max-age 7d',
    '<%= config.bin %> stream create metrics --max-bytes 64MiB --on-full drop-oldest',
    '<%= config.bin %> stream create session-17 --ttl 1h --sliding',
  ];
  static override impact = 'write' as const;
  static override args = { stream: text({ required: true, description: 'Name of the stream' }) };
  static override flags = { ...retentionFlags, ...changeFlags };

  async run(): Promise<void> {
    const { stream } = this.args;
    const retention = retentionFrom(this.flags);
    if (await this.planned(`make stream "${stream}"`)) return;
    await createStream(await this.connect(), stream, retention);
    await this.output.note(`made stream "${stream}"`);
  }
}
