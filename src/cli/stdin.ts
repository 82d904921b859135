/**
 * Standard input, read only when a command line says so with `-`: as bytes, bounded, and never faster than it is used.
 */
import type { Readable } from 'node:stream';
import { decodeText, encodeText } from '../engine/index.ts';
import { UsageError } from './errors.ts';

/** What one read of the whole input may hold; the limits of values and payloads are lower and checked by the engine. */
const WHOLE_LIMIT_BYTES = 64 * 1024 * 1024;
const LINE_LIMIT_BYTES = 16 * 1024 * 1024;
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

export interface InputLine {
  /** Counted from 1. */
  number: number;
  /** Without its line end. */
  bytes: Buffer;
}

export interface LineOptions {
  limitBytes?: number;
  /** Ends the reading. */
  signal?: AbortSignal;
  /** A carriage return before the line feed belongs to the line; else to its end. */
  keepCarriageReturn?: boolean;
}

/** @throws UsageError when the input is over the limit. */
export async function readAll(input: Readable, limitBytes = WHOLE_LIMIT_BYTES): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of input as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > limitBytes) throw new UsageError(`standard input is over the limit of ${limitBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/**
 * The lines of the input, one at a time; a last line without a line feed counts.
 * @throws UsageError on a line over the limit; it names the line.
 */
export async function* readLines(input: Readable, options: LineOptions = {}): AsyncGenerator<InputLine> {
  const limitBytes = options.limitBytes ?? LINE_LIMIT_BYTES;
  const stop = () => input.destroy();
  options.signal?.addEventListener('abort', stop, { once: true });
  let number = 0;
  // Parts of a line that began in earlier chunks.
  let parts: Buffer[] = [];
  let partBytes = 0;
  const finish = (rest: Buffer): InputLine => {
    const whole = parts.length === 0 ? rest : Buffer.concat([...parts, rest]);
    parts = [];
    partBytes = 0;
    const cut = !options.keepCarriageReturn && whole.at(-1) === CARRIAGE_RETURN;
    return { number: ++number, bytes: cut ? whole.subarray(0, -1) : whole };
  };
  const check = (bytes: number) => {
    if (bytes > limitBytes) throw new UsageError(`line ${number + 1} of the input is over ${limitBytes} bytes`);
  };
  try {
    for await (const chunk of input as AsyncIterable<Buffer>) {
      let from = 0;
      for (let at = chunk.indexOf(LINE_FEED); at >= 0; at = chunk.indexOf(LINE_FEED, from)) {
        check(partBytes + at - from);
        yield finish(chunk.subarray(from, at));
        from = at + 1;
      }
      if (from < chunk.length) {
        partBytes += chunk.length - from;
        check(partBytes);
        parts.push(chunk.subarray(from));
      }
    }
    if (partBytes > 0) yield finish(Buffer.alloc(0));
  } catch (error) {
    if (!options.signal?.aborted) throw error;
  } finally {
    options.signal?.removeEventListener('abort', stop);
  }
}

/**
 * The JSON objects of the input, one a line; blank lines are passed over.
 * @throws UsageError on a line that is no JSON object; it names the line and never quotes it.
 */
export async function* readNdjson(
  input: Readable,
  options: { limitBytes?: number; signal?: AbortSignal } = {},
): AsyncGenerator<{ number: number; value: Record<string, unknown> }> {
  for await (const { number, bytes } of readLines(input, options)) {
    if (isBlank(bytes)) continue;
    yield { number, value: parseObject(number, bytes) };
  }
}

function parseObject(number: number, bytes: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new UsageError(`line ${number} of the input is no JSON`, {
      hint: 'Give one JSON object a line.',
      cause: error,
    });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UsageError(`line ${number} of the input is no JSON object`, { hint: 'Give one JSON object a line.' });
  }
  return value as Record<string, unknown>;
}

function isBlank(bytes: Buffer): boolean {
  return bytes.every(byte => byte === 0x20 || byte === 0x09);
}

/** The bytes an argument stands for: its text, or all of standard input for an explicit `-`. */
export async function payloadOf(argument: string | undefined): Promise<Buffer> {
  if (argument !== '-') return encodeText(argument ?? '');
  return readAll(process.stdin);
}

/** The same as a text of the engine. */
export async function textOf(argument: string): Promise<string> {
  return argument === '-' ? decodeText(await readAll(process.stdin)) : argument;
}
