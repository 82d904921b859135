/**
 * Trace context in headers, as the W3C writes it: `traceparent` says which span an event comes from, `tracestate` what
 * vendors add. Both are carried as they are; here they are read and written. Pure.
 * Source: https://www.w3.org/TR/trace-context-2/
 */
import { ArgumentError } from './errors.ts';

/** Fields are named as in OpenTelemetry's `SpanContext`. */
export interface TraceContext {
  /** 32 hexadecimal digits in lower case, not all zero. */
  readonly traceId: string;
  /** 16 of them: the span that is the parent of whatever is done now. */
  readonly spanId: string;
  /** Bits: 1 sampled, 2 the trace id is random. */
  readonly traceFlags: number;
  /** As it came; undefined when there is none, or none that is valid. */
  readonly traceState: string | undefined;
}

const TRACEPARENT = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/s;
const ZEROS = /^0+$/;
const FLAGS = 0b11;
const MAX_MEMBERS = 32;
const MEMBER_KEY = /^[a-z\d][a-z\d_\-*/@]{0,255}$/;
/** Printable ASCII without comma and equals sign, no blank at the end. */
const MEMBER_VALUE = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/**
 * What the headers of an event say, or undefined when they say nothing valid: a trace that cannot be followed is no
 * reason to refuse an event. Names count in any case.
 */
export function readTraceContext(headers: ReadonlyMap<string, string>): TraceContext | undefined {
  const traceparent = headerOf(headers, 'traceparent');
  const match = traceparent === undefined ? undefined : TRACEPARENT.exec(traceparent.trim());
  if (!match) return undefined;
  const [, version, traceId, spanId, flags, more] = match as unknown as [
    string,
    string,
    string,
    string,
    string,
    string?,
  ];
  // A later version may add fields behind those of the first; the first has no more.
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  if (ZEROS.test(traceId) || ZEROS.test(spanId)) return undefined;
  const traceState = headerOf(headers, 'tracestate');
  return {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16) & FLAGS,
    traceState: traceState !== undefined && isTraceState(traceState) ? traceState : undefined,
  };
}

/**
 * The headers that carry a context, to be spread into those of an event.
 * @throws ArgumentError when it is none.
 */
export function traceHeaders(context: TraceContext): { traceparent: string; tracestate?: string } {
  const { traceId, spanId, traceFlags, traceState } = context;
  const flags = (traceFlags & FLAGS).toString(16).padStart(2, '0');
  const traceparent = `00-${traceId}-${spanId}-${flags}`;
  if (!readTraceContext(new Map([['traceparent', traceparent]]))) {
    throw new ArgumentError(
      'a trace context has a trace id of 32 and a span id of 16 hexadecimal digits, not all zero',
    );
  }
  if (!traceState) return { traceparent };
  if (!isTraceState(traceState)) {
    throw new ArgumentError(`a trace state is a list of at most ${MAX_MEMBERS} key=value, separated by commas`);
  }
  return { traceparent, tracestate: traceState };
}

function headerOf(headers: ReadonlyMap<string, string>, name: string): string | undefined {
  const exact = headers.get(name);
  if (exact !== undefined) return exact;
  for (const [key, value] of headers) if (key.length === name.length && key.toLowerCase() === name) return value;
  return undefined;
}

/** Members may be empty and have blanks around them; no key may be there twice. */
function isTraceState(text: string): boolean {
  const keys = new Set<string>();
  const members = text
    .split(',')
    .map(member => member.replace(/^[ \t]+|[ \t]+$/g, ''))
    .filter(member => member !== '');
  for (const member of members) {
    const at = member.indexOf('=');
    const key = member.slice(0, at);
    if (at < 1 || !MEMBER_KEY.test(key) || !MEMBER_VALUE.test(member.slice(at + 1)) || keys.has(key)) return false;
    keys.add(key);
  }
  return members.length > 0 && members.length <= MAX_MEMBERS;
}
