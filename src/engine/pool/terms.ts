import { readTraceContext, type TraceContext, traceHeaders } from '../core/trace-context.ts';

/** What a dispatch asked for, one text in the job's record that goes with the job wherever it goes (`lua/_terms.lua`). */

export interface JobTerms {
  /** Attempts before the job is dead; 0 never gives up. */
  readonly attempts: number;
  readonly backoffMs: number;
  readonly backoffMaxMs: number;
  readonly payloadBytes: number;
  /** How long the outcome is kept; undefined: as long as a reply may be under way. */
  readonly keepMs: number | undefined;
  /** Node that waits for the outcome; empty when nobody does. */
  readonly replyTo: string;
  /** Of the payload, when the dispatcher gave the id; else empty. */
  readonly digest: string;
  /** The span that dispatched it. */
  readonly trace?: TraceContext | undefined;
}

const ABSENT = '-';
/** What a trace state has at most where it must be kept short; without it the trace goes on all the same. */
const MAX_TRACE_STATE_CHARS = 512;

export function formatTerms(terms: JobTerms): string {
  const { attempts, backoffMs, backoffMaxMs, payloadBytes, keepMs, replyTo, digest, trace } = terms;
  const words = `${attempts} ${Math.ceil(backoffMs)} ${Math.ceil(backoffMaxMs)} ${payloadBytes} ${keepMs ?? ABSENT} ${replyTo || ABSENT} ${formatDigest(digest)}`;
  return trace ? `${words} ${formatTrace(trace)}` : words;
}

function formatTrace(trace: TraceContext): string {
  const { traceparent, tracestate } = traceHeaders(trace);
  if (tracestate === undefined || tracestate.length > MAX_TRACE_STATE_CHARS) return traceparent;
  return `${traceparent} ${encodeURIComponent(tracestate)}`;
}

/** What is none counts as none: it is no reason to refuse a job. */
function parseTrace(traceparent: string | undefined, tracestate = ''): TraceContext | undefined {
  if (traceparent === undefined) return undefined;
  try {
    return readTraceContext(new Map(Object.entries({ traceparent, tracestate: decodeURIComponent(tracestate) })));
  } catch {
    return undefined;
  }
}

/** As it stands in the terms and in the record of a dispatch. */
export function formatDigest(digest: string): string {
  return digest || ABSENT;
}

/** What is no terms, or of a later version, counts as nothing asked for. */
export function parseTerms(text: string): JobTerms {
  const [attempts, backoffMs, backoffMaxMs, payloadBytes, keepMs, replyTo = ABSENT, digest = ABSENT, ...trace] =
    text.split(' ');
  return {
    attempts: Number(attempts) || 0,
    backoffMs: Number(backoffMs) || 0,
    backoffMaxMs: Number(backoffMaxMs) || 0,
    payloadBytes: Number(payloadBytes) || 0,
    keepMs: keepMs === undefined || keepMs === ABSENT ? undefined : Number(keepMs),
    replyTo: replyTo === ABSENT ? '' : replyTo,
    digest: digest === ABSENT ? '' : digest,
    trace: parseTrace(...(trace as [string?, string?])),
  };
}

const FORM = /^(\d+ ){4}\S+ \S+ \S+/;

/** Whether the scripts can read it. A later version may add words at the end. */
export function isTerms(text: string): boolean {
  return FORM.test(text);
}
