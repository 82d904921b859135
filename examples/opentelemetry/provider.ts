/** Stands for an SDK in the example: gives every span that ended to a function. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import {
  type Attributes,
  type Context,
  context,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  type SpanStatus,
  TraceFlags,
  trace,
} from '@opentelemetry/api';

export interface EndedSpan {
  name: string;
  context: SpanContext;
  parent: SpanContext | undefined;
  attributes: Attributes;
  status: SpanStatus | undefined;
}

/** Registers it with the API. */
export function registerProvider(ended: (span: EndedSpan) => void): void {
  const active = new AsyncLocalStorage<Context>();
  const manager = {
    active: () => active.getStore() ?? ROOT_CONTEXT,
    with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
      to: Context,
      act: F,
      that?: unknown,
      ...args: A
    ) {
      return active.run(to, () => act.call(that as ThisParameterType<F>, ...args));
    },
    bind: <T>(_to: Context, target: T) => target,
    enable: () => manager,
    disable: () => manager,
  };
  context.setGlobalContextManager(manager);
  const startSpan = (name: string, options: { attributes?: Attributes } = {}, under = context.active()) => {
    const parent = trace.getSpanContext(under);
    const own = {
      traceId: parent?.traceId ?? randomBytes(16).toString('hex'),
      spanId: randomBytes(8).toString('hex'),
      traceFlags: TraceFlags.SAMPLED,
      ...(parent?.traceState && { traceState: parent.traceState }),
    };
    const record: EndedSpan = { name, context: own, parent, attributes: { ...options.attributes }, status: undefined };
    const span: Span = {
      spanContext: () => own,
      isRecording: () => true,
      setAttribute: (key, value) => span.setAttributes({ [key]: value }),
      setAttributes: more => {
        Object.assign(record.attributes, more);
        return span;
      },
      setStatus: status => {
        record.status = status;
        return span;
      },
      recordException: () => {},
      addEvent: () => span,
      addLink: () => span,
      addLinks: () => span,
      updateName: () => span,
      end: () => ended(record),
    };
    return span;
  };
  const startActiveSpan = () => {
    throw new Error('this provider knows startSpan only');
  };
  trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan, startActiveSpan }) });
}
