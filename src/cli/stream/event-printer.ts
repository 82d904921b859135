/**
 * Events one after the other, in the format asked for, and beside them what else happens while they are read. On a
 * terminal an event is one line that fits and harms nothing. Elsewhere it is one line with everything, bytes as they are
 * but for line feeds.
 */
import { decodeText, encodeText, type StreamEvent } from '../../engine/index.ts';
import { streamRecord } from '../../present/envelope.ts';
import { eventNoun, eventTime } from '../../present/nouns/events.ts';
import { safeJson, safeText } from '../../present/safe-text.ts';
import { cutText } from '../../present/width.ts';
import type { Output, RecordStream } from '../output.ts';

const GAP = '  ';
const LINE_FEED = 10;
/** No character takes more bytes in UTF-8. */
const MAX_CHARACTER_BYTES = 4;

export class EventPrinter {
  readonly #output: Output;
  /** Several streams are read: lines say of which an event is. */
  #showStream = false;
  readonly #records: RecordStream<StreamEvent> | undefined;

  constructor(output: Output) {
    this.#output = output;
    const { format } = output.looks;
    this.#records = format === 'table' || format === 'wide' ? undefined : output.stream(eventNoun);
  }

  /** What comes is of these streams from now on. */
  follows(streams: readonly string[]): void {
    this.#showStream = streams.length > 1;
  }

  event(event: StreamEvent): Promise<void> {
    if (this.#records) return this.#records.write('event', event);
    const { stdout } = this.#output;
    return stdout.write(stdout.isTerminal ? this.#terminalLine(event) : this.#plainLine(event));
  }

  /** A sentence for people alone. */
  note(sentence: string): Promise<void> {
    return this.#output.note(sentence);
  }

  /** Something that is no event: a record in JSON, and a sentence on stderr, which --quiet leaves out if it is good news. */
  async notice(type: string, fields: object, sentence: string, tone: 'good' | 'bad'): Promise<void> {
    await (tone === 'good' ? this.#output.note(sentence) : this.#output.warn(sentence));
    if (this.#output.looks.format !== 'ndjson') return;
    await this.#output.stdout.write(`${safeJson(streamRecord(type, fields))}\n`);
  }

  #terminalLine(event: StreamEvent): string {
    const { stdout, looks } = this.#output;
    const width = stdout.columns ?? 80;
    const seen = event.payload.subarray(0, width * MAX_CHARACTER_BYTES);
    const cells = [...this.#heads(event), decodeText(seen)].map(cell => safeText(cell));
    return `${cutText(cells.join(GAP), width, looks.ascii ? '~' : '…')}\n`;
  }

  #plainLine(event: StreamEvent): Buffer {
    const heads = encodeText(`${this.#heads(event).join(GAP)}${GAP}`);
    return Buffer.concat([onOneLine(heads), onOneLine(event.payload), Buffer.from([LINE_FEED])]);
  }

  #heads(event: StreamEvent): string[] {
    const wide = this.#output.looks.format === 'wide' ? [event.id] : [];
    const stream = this.#showStream ? [event.stream] : [];
    return [...wide, eventTime(event) ?? event.id, ...stream, event.name, event.topic ?? '-'];
  }
}

function onOneLine(bytes: Buffer): Buffer {
  if (!bytes.includes(LINE_FEED)) return bytes;
  return Buffer.from(bytes.toString('latin1').replaceAll('\n', '\\n'), 'latin1');
}
