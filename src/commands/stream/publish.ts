import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../cli/base-command.ts';
import { PartlyFailedError, UsageError } from '../../cli/errors.ts';
import { changeFlags, text } from '../../cli/flags.ts';
import { rateFlag } from '../../cli/job/flags.ts';
import { payloadOf } from '../../cli/stdin.ts';
import { publishAll } from '../../cli/stream/bulk-publish.ts';
import { type EventDefaults, type EventInput, readJsonEvents, readLineEvents } from '../../cli/stream/event-input.ts';
import { parseHeaders } from '../../cli/stream/headers.ts';
import { checkTarget, openTarget, type PublishTarget } from '../../cli/stream/publish-target.ts';
import { formatBytes, formatCount, formatDuration } from '../../present/human.ts';
import { publishedNoun } from '../../present/nouns/events.ts';

export default class StreamPublish extends BaseCommand<typeof StreamPublish> {
  static override summary = 'Publish an event, or one for each line of standard input';
  static override description = `Writes the id of each event to stdout; --quiet writes none.
The payload is a text, or - for standard input: all of it as one payload, with --lines one event a line, bytes as they are, with --ndjson one JSON object a line: {"event", "topic", "headers", "key", "payload"}, where only the payload is needed, a string or any JSON value. What "stream tail -o ndjson" writes can be published again.
A partitioned stream needs a key, which says to which of its partitions the event goes: --key, or with --ndjson that of each line. Then what is written is the partition and the id, as "stream get" takes them. An ordinary stream takes no key.
With --once-id the event is added once, however often it is sent within ten minutes: again, it writes the id of the first and says that nothing was added (added in JSON). Another event under the same id is refused with 4.
Ends with 9 when some events were published and some failed. Whether one without an answer from Redis is in the stream is not known; it is never sent again by itself.`;
  static override examples = [
    `<%= config.bin %> stream publish orders created '{"order": 17}' --topic eu.web`,
    '<%= config.bin %> stream publish files uploaded - < picture.png',
    '<%= config.bin %> stream publish packages log - --lines < /var/log/dpkg.log',
    `<%= config.bin %> stream publish orders paid '{"order": 17}' --once-id payment-4711`,
    `<%= config.bin %> stream publish payments placed '{"order": 17}' --key customer-9`,
    `echo '{"event": "paid", "payload": {"order": 17}}' | <%= config.bin %> stream publish orders created - --ndjson --rate 50/s`,
  ];
  static override impact = 'write' as const;
  static override args = {
    stream: text({ required: true, description: 'Name of the stream; made if it does not exist' }),
    event: text({ required: true, description: 'Name of the event' }),
    payload: text({ description: 'Payload, or - for standard input; default empty' }),
  };
  static override flags = {
    key: Flags.string({
      helpValue: 'KEY',
      description: 'Key of the event: events of one key stay in order. For partitioned streams',
    }),
    topic: Flags.string({ helpValue: 'TOPIC', description: 'Topic, by which sinks and readers choose' }),
    header: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'KEY=VALUE',
      description: 'Header of the event; may be given several times',
    }),
    'once-id': Flags.string({
      helpValue: 'ID',
      description: 'Publish once under this id: the same event again is not added',
    }),
    'if-exists': Flags.boolean({ description: 'Fail if the stream does not exist' }),
    lines: Flags.boolean({ description: 'One event for each line of standard input', exclusive: ['ndjson'] }),
    ndjson: Flags.boolean({ description: 'One event for each JSON object, a line each, of standard input' }),
    rate: rateFlag({ description: 'Events a second at most, with --lines or --ndjson' }),
    'continue-on-error': Flags.boolean({ description: 'Go on with the next line when one fails' }),
    ...changeFlags,
  };

  async run(): Promise<void> {
    const { stream, event, payload } = this.args;
    const defaults = { event, topic: this.flags.topic, headers: parseHeaders(this.flags.header) };
    if (this.flags.lines || this.flags.ndjson) return this.#publishMany(defaults);
    this.#checkSingle();
    if (await this.planned(`publish "${event}" to stream "${stream}"`, () => this.#check())) return;
    const bytes = await payloadOf(payload);
    const target = await this.#open();
    const { stream: into, id, added } = await target.publish(defaults, bytes, this.flags['once-id']);
    await target.losses.tell(this.output);
    if (this.flags.quiet) return;
    if (this.output.looks.formatGiven) await this.output.item(publishedNoun, { id, stream: into, event, added });
    else await this.output.line(target.partitioned ? `${into} ${id}` : id);
    if (!added) {
      return this.output.note(`nothing was added: stream "${into}" was given this event under this id before`);
    }
    const size = bytes.length === 0 ? 'an empty payload' : formatBytes(bytes.length);
    await this.output.note(`published "${event}" with ${size} to stream "${into}"`);
  }

  async #publishMany(defaults: EventDefaults): Promise<void> {
    const { stream, payload } = this.args;
    if (payload !== '-') throw new UsageError('--lines and --ndjson read standard input: give - as the payload');
    if (this.flags['once-id'] !== undefined) throw new UsageError('--once-id is for one event');
    const stop = new AbortController();
    this.untilInterrupted();
    this.interrupted.addEventListener('abort', () => stop.abort(), { once: true });
    const continueOnError = this.flags['continue-on-error'] === true;
    const inputs = this.flags.lines
      ? readLineEvents(process.stdin, defaults, stop.signal)
      : readJsonEvents(process.stdin, defaults, stop.signal, !continueOnError);
    if (this.flags['dry-run']) return this.#plan(inputs);
    const startMs = performance.now();
    const target = await this.#open();
    const sum = await publishAll(target, stream, inputs, this.output, {
      perSecond: this.flags.rate,
      continueOnError,
      stop,
    });
    await target.losses.tell(this.output);
    const took = formatDuration(performance.now() - startMs);
    await this.output.note(`published ${formatCount(sum.doneCount, 'event')} to stream "${stream}" in ${took}`);
    if (sum.failedCount === 0) return;
    if (sum.doneCount === 0) throw sum.firstError;
    throw new PartlyFailedError(sum.failedCount, sum.doneCount + sum.failedCount, {
      cause: sum.firstError,
      hint: continueOnError
        ? 'Each failure is told above.'
        : 'It ended at the first failure; lines already on their way were published all the same. --continue-on-error goes on.',
    });
  }

  /** Reads everything without sending anything. */
  async #plan(inputs: AsyncIterable<EventInput>): Promise<void> {
    let count = 0;
    for await (const { error, line } of inputs) {
      if (error) throw new UsageError(`line ${line}: ${error.message}`, { hint: error.hint ?? '' });
      count++;
    }
    await this.planned(`publish ${formatCount(count, 'event')} to stream "${this.args.stream}"`, () => this.#check());
  }

  /** @throws what opening the stream would. */
  async #check(): Promise<void> {
    const { key, ndjson, 'if-exists': ifExists } = this.flags;
    await checkTarget(await this.connect(), this.args.stream, { create: !ifExists, key, ownKeys: ndjson });
  }

  #checkSingle(): void {
    for (const name of ['rate', 'continue-on-error'] as const) {
      if (this.flags[name]) throw new UsageError(`--${name} is for many events: add --lines or --ndjson`);
    }
  }

  async #open(): Promise<PublishTarget> {
    const { key, ndjson } = this.flags;
    const create = !this.flags['if-exists'];
    return openTarget(await this.connect(), this.args.stream, { create, key, ownKeys: ndjson });
  }
}
