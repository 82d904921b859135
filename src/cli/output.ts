/**
 * What a command says. stdout carries data in the format asked for; stderr is for people. Every call waits until the
 * stream takes more, and throws OutputClosedError when nobody reads any more.
 */
import { cellText, itemOf, type Noun, nameOf, type TextContext } from '../present/columns.ts';
import { csvLine } from '../present/csv.ts';
import { itemEnvelope, listEnvelope, streamRecord } from '../present/envelope.ts';
import { safeJson, safeText } from '../present/safe-text.ts';
import { noPaint, type Paint, type TableOptions, tableLines } from '../present/table.ts';
import type { ByteSink } from './byte-sink.ts';
import { type Looks, wantsColor } from './format.ts';

export interface OutputOptions {
  looks: Looks;
  stdout: ByteSink;
  stderr: ByteSink;
  nowMs?: () => number;
}

const LINES_PER_WRITE = 500;

export class Output {
  readonly looks: Looks;
  readonly stdout: ByteSink;
  readonly stderr: ByteSink;
  readonly #nowMs: () => number;

  constructor(options: OutputOptions) {
    this.looks = options.looks;
    this.stdout = options.stdout;
    this.stderr = options.stderr;
    this.#nowMs = options.nowMs ?? Date.now;
  }

  /** Many things. `empty` is told on stderr when there are none: what that means and what to type next. */
  async list<Row>(noun: Noun<Row>, rows: readonly Row[], options: { empty?: string } = {}): Promise<void> {
    if (rows.length === 0 && options.empty && !this.looks.watching) await this.note(options.empty);
    if (this.#watchingJson) return this.#snapshot(listOf(noun, rows));
    switch (this.looks.format) {
      case 'table':
      case 'wide':
        if (rows.length > 0) await this.#lines(tableLines(noun.columns, rows, await this.#tableOptions()));
        return;
      case 'json':
        return this.#json(listOf(noun, rows));
      case 'yaml':
        return this.#yaml(listOf(noun, rows));
      default: {
        const stream = this.stream(noun);
        for (const row of rows) await stream.write(typeOf(noun.kind), row);
      }
    }
  }

  /** One thing. */
  async item<Row>(noun: Noun<Row>, row: Row): Promise<void> {
    if (this.#watchingJson) return this.#snapshot(itemEnvelope(noun.kind, itemOf(noun, row)));
    switch (this.looks.format) {
      case 'table':
      case 'wide': {
        const { itemLines } = await import('../present/item-table.ts');
        return this.#lines(itemLines(noun.columns, row, await this.#tableOptions()));
      }
      case 'json':
        return this.#json(itemEnvelope(noun.kind, itemOf(noun, row)));
      case 'yaml':
        return this.#yaml(itemEnvelope(noun.kind, itemOf(noun, row)));
      default:
        return this.stream(noun).write(typeOf(noun.kind), row);
    }
  }

  /** Things one after the other, without an end known beforehand. */
  stream<Row>(noun: Noun<Row>): RecordStream<Row> {
    return new RecordStream(noun, this, this.#context());
  }

  /** One line of data, as it is but for what would harm a terminal. */
  async line(text: string): Promise<void> {
    await this.stdout.write(`${this.forTerminal(text)}\n`);
  }

  /** Bytes as they are. */
  async bytes(bytes: Uint8Array): Promise<void> {
    await this.stdout.write(bytes);
  }

  /** A sentence for people, on stderr; `--quiet` leaves it out. */
  async note(text: string): Promise<void> {
    if (!this.looks.quiet) await this.#toStderr(`${safeText(text, { keepLines: true })}\n`);
  }

  async warn(text: string): Promise<void> {
    await this.#toStderr(`warning: ${safeText(text)}\n`);
  }

  /** `text` escaped when stdout is a terminal and `--raw` does not ask for it as it is. */
  forTerminal(text: string): string {
    return this.stdout.isTerminal && !this.looks.raw ? safeText(text) : text;
  }

  async #lines(lines: Iterable<string>): Promise<void> {
    let batch: string[] = [];
    const flush = async () => {
      if (batch.length > 0) await this.stdout.write(`${batch.join('\n')}\n`);
      batch = [];
    };
    for (const line of lines) {
      batch.push(line);
      if (batch.length >= LINES_PER_WRITE) await flush();
    }
    await flush();
  }

  get #watchingJson(): boolean {
    return this.looks.watching && (this.looks.format === 'json' || this.looks.format === 'ndjson');
  }

  async #snapshot(envelope: object): Promise<void> {
    await this.stdout.write(`${safeJson(streamRecord('snapshot', { atMs: this.#nowMs(), ...envelope }))}\n`);
  }

  async #json(value: unknown): Promise<void> {
    await this.stdout.write(`${safeJson(value, this.stdout.isTerminal ? 2 : undefined)}\n`);
  }

  async #yaml(value: unknown): Promise<void> {
    const { toYaml } = await import('../present/yaml.ts');
    await this.stdout.write(toYaml(value));
  }

  /** Nobody reading what we have to say beside the data is no reason to stop. */
  async #toStderr(text: string): Promise<void> {
    await this.stderr.write(text).catch(() => undefined);
  }

  #context(): TextContext {
    return { nowMs: this.#nowMs(), ascii: this.looks.ascii };
  }

  async #tableOptions(): Promise<TableOptions> {
    return {
      ...this.#context(),
      wide: this.looks.format === 'wide',
      headers: this.looks.headers,
      maxWidth: this.stdout.columns,
      paint: await loadPaint(wantsColor(this.looks, this.stdout.isTerminal)),
    };
  }
}

/** Writes records of one noun: a line of JSON with `type` first, a line of CSV, a name, bytes, or a line for people. */
export class RecordStream<Row> {
  readonly #noun: Noun<Row>;
  readonly #output: Output;
  readonly #context: TextContext;
  #headWritten = false;

  constructor(noun: Noun<Row>, output: Output, context: TextContext) {
    this.#noun = noun;
    this.#output = output;
    this.#context = context;
  }

  async write(type: string, row: Row): Promise<void> {
    const { stdout, looks } = this.#output;
    const noun = this.#noun;
    switch (looks.format) {
      case 'json':
      case 'ndjson':
        return stdout.write(`${safeJson(streamRecord(type, itemOf(noun, row)))}\n`);
      case 'yaml': {
        const { toYaml } = await import('../present/yaml.ts');
        return stdout.write(`---\n${toYaml(streamRecord(type, itemOf(noun, row)))}`);
      }
      case 'csv': {
        const head = this.#headWritten || !looks.headers ? '' : csvLine(noun.columns.map(column => column.header));
        this.#headWritten = true;
        return stdout.write(this.#output.forTerminal(head.trimEnd()) + (head && '\n') + this.#csvRow(row));
      }
      case 'name':
        if (stdout.isTerminal) return stdout.write(`${safeText(String(noun.columns[0]?.value(row) ?? ''))}\n`);
        return stdout.write(Buffer.concat([nameOf(noun, row), LINE_FEED]));
      case 'raw':
        return stdout.write(noun.raw ? noun.raw(row) : Buffer.concat([nameOf(noun, row), LINE_FEED]));
      default:
        return stdout.write(`${this.#humanLine(row)}\n`);
    }
  }

  #csvRow(row: Row): string {
    const line = csvLine(this.#noun.columns.map(column => column.value(row)));
    return this.#output.stdout.isTerminal ? `${safeText(line.slice(0, -1))}\n` : line;
  }

  #humanLine(row: Row): string {
    const context = { ...this.#context, nowMs: Date.now() };
    const noun = this.#noun;
    if (noun.line) return safeText(noun.line(row, context));
    const shown = noun.columns.filter(column => !column.wide || this.#output.looks.format === 'wide');
    return shown.map(column => safeText(cellText(column, row, context))).join('  ');
  }
}

const LINE_FEED = Buffer.from('\n');

function listOf<Row>(noun: Noun<Row>, rows: readonly Row[]): object {
  const items = rows.map(row => itemOf(noun, row));
  return listEnvelope(noun.kind, items);
}

function typeOf(kind: string): string {
  return kind.charAt(0).toLowerCase() + kind.slice(1);
}

async function loadPaint(colored: boolean): Promise<Paint> {
  return colored ? (await import('../present/paint.ts')).paint : noPaint;
}
