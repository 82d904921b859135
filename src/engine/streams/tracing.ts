/** The spans of streams: one for each event published, and one for each delivery of it to a handler or a reader's loop. */
import { type Bytes, byteLength } from '../core/bytes.ts';
import {
  type ActiveSpan,
  MESSAGING,
  type SpanAttributes,
  type SpanEnding,
  type SpanOutcome,
  type SpanStart,
  type Tracer,
} from '../core/telemetry.ts';
import { readTraceContext, traceHeaders } from '../core/trace-context.ts';
import type { Delivery } from './delivery.ts';
import type { Headers, StreamEvent } from './event.ts';
import type { SinkHandler } from './runner.ts';

/** The event's own context, when its headers bring one, is what the publish comes under. */
export function publishSpan(stream: string, name: string, payload: Bytes, headers: Headers | undefined): SpanStart {
  return {
    kind: 'producer',
    name: `publish ${stream}`,
    parent: headers && readTraceContext(mapOf(headers)),
    attributes: {
      ...MESSAGING,
      'messaging.operation.name': 'publish',
      'messaging.operation.type': 'send',
      'messaging.destination.name': stream,
      'messaging.message.body.size': byteLength(payload),
      'ponos.event.name': name,
    },
  };
}

/** Once the event has an id. */
export function published(outcome: SpanOutcome<string>): SpanEnding {
  return 'value' in outcome ? { attributes: { 'messaging.message.id': outcome.value } } : {};
}

/** The headers to publish with: those given, and the span's context unless they bring one. */
export function tracedHeaders(headers: Headers | undefined, span: ActiveSpan): Headers | undefined {
  if (!span.context) return headers;
  const context = traceHeaders(span.context);
  if (headers === undefined) return context as Headers;
  // What is no headers at all is for the encoding to refuse.
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) return headers;
  const given = mapOf(headers);
  const names = [...given.keys()].map(name => String(name).toLowerCase());
  return names.includes('traceparent') ? headers : new Map([...given, ...Object.entries(context)]);
}

/** The handler under a span for each delivery; the same handler when nobody traces. */
export function tracedHandler(
  tracer: Tracer | undefined,
  sink: string,
  consumer: string,
  handler: SinkHandler,
): SinkHandler {
  if (!tracer) return handler;
  return event => {
    const { deliveryCount } = event;
    const more = {
      'messaging.consumer.group.name': sink,
      'messaging.client.id': consumer,
      'ponos.delivery.count': deliveryCount,
    };
    return tracer.around(
      () => processSpan(event, more),
      () => handler(event),
      outcome => ({
        attributes: { 'ponos.delivery.outcome': (event as Delivery).outcome ?? ('error' in outcome ? 'nack' : 'ack') },
      }),
    );
  };
}

/** A reader's loop under a span for each event: from when it is given until the next is asked for. */
export function tracedReading(
  tracer: Tracer | undefined,
  iterator: AsyncIterator<StreamEvent, undefined>,
): AsyncIterator<StreamEvent, undefined> {
  if (!tracer) return iterator;
  let span: ActiveSpan | undefined;
  const end = () => {
    span?.end();
    span = undefined;
  };
  return {
    next: async () => {
      end();
      const result = await iterator.next();
      if (!result.done) span = tracer.start(() => processSpan(result.value, {}));
      return result;
    },
    return: () => {
      end();
      return iterator.return?.() ?? Promise.resolve({ value: undefined, done: true });
    },
  };
}

/** Under the span that published the event, at each delivery anew. */
function processSpan(event: StreamEvent, attributes: SpanAttributes): SpanStart {
  const { stream, id, name, topic, payload, headers } = event;
  return {
    kind: 'consumer',
    name: `process ${stream}`,
    parent: readTraceContext(headers),
    attributes: {
      ...MESSAGING,
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.destination.name': stream,
      'messaging.message.id': id,
      'messaging.message.body.size': payload.length,
      'ponos.event.name': name,
      ...(topic !== undefined && { 'ponos.event.topic': topic }),
      ...attributes,
    },
  };
}

function mapOf(headers: Headers): ReadonlyMap<string, string> {
  return headers instanceof Map ? headers : new Map(Object.entries(headers));
}
