/**
 * Spans for whoever traces: a link is given a `Telemetry`, and what is done on the link is told to it. The shapes are those
 * of OpenTelemetry, of which nothing is needed here; `examples/opentelemetry.ts` has the adapter. Attributes are named by
 * its conventions: https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
 *
 * What a telemetry throws, and what it forgets to call, never touches the work: `Tracer` stands between the two.
 */
import { PonosError } from './errors.ts';
import { readTraceContext, type TraceContext, traceHeaders } from './trace-context.ts';

/** `producer` sends, `consumer` works on what was sent, `client` changes something in Redis. */
export type SpanKind = 'producer' | 'consumer' | 'client';

export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

export interface SpanStart {
  readonly kind: SpanKind;
  /** Of low cardinality: what is done, and to which stream, pool or map. */
  readonly name: string;
  readonly attributes: SpanAttributes;
  /** The span it belongs under, of another process; undefined: the one at work here, if any. */
  readonly parent: TraceContext | undefined;
}

/** Of every span about something sent. */
export const MESSAGING = { 'messaging.system': 'ponos' } as const;

export interface Span {
  /** Travels with what is sent, so that the spans of other processes come under this one. */
  readonly context: TraceContext | undefined;
  /** Calls `act`, at once, with this span as the one at work, and gives what it gives. */
  run?<T>(act: () => T): T;
  /** `attributes` that were not known at the start; `failed` when it failed, with what was thrown. */
  end(attributes: SpanAttributes, failed?: { readonly error: unknown }): void;
}

/** What a link tells of its work. Called in the middle of it: must be quick, and must not wait. */
export interface Telemetry {
  start(span: SpanStart): Span;
  /** What the other methods threw. */
  onError?(error: unknown): void;
}

/** How the work under a span ended. */
export type SpanOutcome<T> = { readonly value: T } | { readonly error: unknown };

export interface SpanEnding {
  readonly attributes?: SpanAttributes;
  /** What was thrown is no failure. */
  readonly forgiven?: boolean;
}

export class Tracer {
  readonly #telemetry: Telemetry;

  constructor(telemetry: Telemetry) {
    this.#telemetry = telemetry;
  }

  /** `describe` is asked within: arguments that the work refuses must not fail before it does. */
  start(describe: () => SpanStart): ActiveSpan {
    const span = this.safely(() => {
      const { name, attributes, ...rest } = describe();
      return this.#telemetry.start({ ...rest, name: name.toWellFormed(), attributes: wellFormed(attributes) });
    });
    return new ActiveSpan(this, span);
  }

  /**
   * Calls `act` under a span that ends with it, or with the promise it gives. `ending` says what is only known then. What `act`
   * gives or throws comes back as it is.
   */
  around<T>(
    describe: () => SpanStart,
    act: (span: ActiveSpan) => T,
    ending?: (outcome: SpanOutcome<Awaited<T>>) => SpanEnding,
  ): T {
    const span = this.start(describe);
    const end = (outcome: SpanOutcome<Awaited<T>>) => {
      const { attributes = {}, forgiven = false } = this.safely(() => ending?.(outcome)) ?? {};
      span.end(attributes, 'error' in outcome && !forgiven ? outcome : undefined);
    };
    let given: T;
    try {
      given = span.run(() => act(span));
    } catch (error) {
      end({ error });
      throw error;
    }
    if (given instanceof Promise)
      given.then(
        value => end({ value }),
        (error: unknown) => end({ error }),
      );
    else end({ value: given as Awaited<T> });
    return given;
  }

  /** What `tell` gives, or undefined when it threw. */
  safely<T>(tell: () => T): T | undefined {
    try {
      return tell();
    } catch (error) {
      try {
        this.#telemetry.onError?.(error);
      } catch {
        // There is nobody left to tell.
      }
      return undefined;
    }
  }
}

/** A span as the engine holds it: nothing it is asked throws. */
export class ActiveSpan {
  /** Undefined also when the telemetry gave one that is none: a span that is not recorded has only zeros. */
  readonly context: TraceContext | undefined;
  readonly #tracer: Tracer;
  readonly #span: Span | undefined;

  constructor(tracer: Tracer, span: Span | undefined) {
    this.#tracer = tracer;
    this.#span = span;
    this.context = validContext(tracer.safely(() => span?.context));
  }

  /** Calls `act` once, also when the telemetry does not, and gives what it gives. */
  run<T>(act: () => T): T {
    let outcome: { value: T } | { error: unknown } | undefined;
    const once = (): T => {
      if (outcome === undefined) {
        try {
          outcome = { value: act() };
        } catch (error) {
          outcome = { error };
        }
      }
      return 'value' in outcome ? outcome.value : (undefined as T);
    };
    this.#tracer.safely(() => this.#span?.run?.(once));
    once();
    if (outcome && 'error' in outcome) throw outcome.error;
    return (outcome as unknown as { value: T }).value;
  }

  end(attributes: SpanAttributes = {}, failed?: { readonly error: unknown }): void {
    const all = failed ? { ...attributes, 'error.type': errorType(failed.error) } : attributes;
    this.#tracer.safely(() => this.#span?.end(all, failed));
  }
}

function validContext(context: TraceContext | undefined): TraceContext | undefined {
  if (!context) return undefined;
  try {
    return readTraceContext(new Map(Object.entries(traceHeaders(context))));
  } catch {
    return undefined;
  }
}

/** Names and keys may stand for bytes that are no text (text.ts), which exporters refuse. */
function wellFormed(attributes: SpanAttributes): SpanAttributes {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [name, typeof value === 'string' ? value.toWellFormed() : value]),
  );
}

/** Of low cardinality, as the conventions ask. */
function errorType(error: unknown): string {
  if (error instanceof PonosError) return error.code;
  return error instanceof Error ? error.name : typeof error;
}
