/** Ponos's telemetry on the API of OpenTelemetry. Whatever SDK is registered there gets the spans. */
import { context, createTraceState, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { Telemetry } from 'ponos';

const KINDS = { producer: SpanKind.PRODUCER, consumer: SpanKind.CONSUMER, client: SpanKind.CLIENT };

export function openTelemetry(tracer = trace.getTracer('ponos')): Telemetry {
  return {
    start({ kind, name, attributes, parent }) {
      const traceState = parent?.traceState ? createTraceState(parent.traceState) : undefined;
      const here = context.active();
      const under = parent ? trace.setSpanContext(here, { ...parent, isRemote: true, traceState }) : here;
      const span = tracer.startSpan(name, { kind: KINDS[kind], attributes }, under);
      const own = span.spanContext();
      return {
        context: { ...own, traceState: own.traceState?.serialize() },
        run: act => context.with(trace.setSpan(under, span), act),
        end(more, failed) {
          span.setAttributes(more);
          if (failed) {
            span.recordException(failed.error as Error);
            span.setStatus({ code: SpanStatusCode.ERROR, message: String(failed.error) });
          }
          span.end();
        },
      };
    },
  };
}
