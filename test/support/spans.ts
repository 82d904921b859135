/** A telemetry that keeps the spans it is told of. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import type { Span, SpanAttributes, SpanStart, Telemetry } from '../../src/engine/core/telemetry.ts';
import type { TraceContext } from '../../src/engine/core/trace-context.ts';

export interface RecordedSpan extends SpanStart {
  readonly context: TraceContext;
  /** Of the span it belongs under: of another process, or at work here. */
  readonly parentId: string | undefined;
  ended: boolean;
  attributes: SpanAttributes;
  error: unknown;
}

export class SpanRecorder implements Telemetry {
  readonly spans: RecordedSpan[] = [];
  readonly errors: unknown[] = [];
  readonly #active = new AsyncLocalStorage<RecordedSpan>();

  /** Whose name begins so, and that have ended. */
  ended(name: string): RecordedSpan[] {
    return this.spans.filter(span => span.ended && span.name.startsWith(name));
  }

  /** The span at work. */
  get active(): RecordedSpan | undefined {
    return this.#active.getStore();
  }

  start(start: SpanStart): Span {
    const parent = start.parent ?? this.active?.context;
    const span: RecordedSpan = {
      ...start,
      context: {
        traceId: parent?.traceId ?? randomBytes(16).toString('hex'),
        spanId: randomBytes(8).toString('hex'),
        traceFlags: 1,
        traceState: parent?.traceState,
      },
      parentId: parent?.spanId,
      ended: false,
      error: undefined,
    };
    this.spans.push(span);
    return {
      context: span.context,
      run: act => this.#active.run(span, act),
      end: (attributes, failed) => {
        if (span.ended) throw new Error(`span ${span.name} ended twice`);
        span.ended = true;
        span.attributes = { ...span.attributes, ...attributes };
        span.error = failed?.error;
      },
    };
  }

  onError(error: unknown): void {
    this.errors.push(error);
  }
}
