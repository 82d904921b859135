import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readTraceContext, type TraceContext, traceHeaders } from '../../src/engine/core/trace-context.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const context: TraceContext = { traceId: TRACE, spanId: SPAN, traceFlags: 1, traceState: undefined };

const read = (headers: Record<string, string>) => readTraceContext(new Map(Object.entries(headers)));
const parent = (text: string) => read({ traceparent: text });
const state = (text: string) => read({ traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: text })?.traceState;

describe('trace context in headers', () => {
  it('is read from traceparent, whatever the case of its name', () => {
    expect(parent(`00-${TRACE}-${SPAN}-01`)).toEqual(context);
    expect(read({ TraceParent: `00-${TRACE}-${SPAN}-00` })).toEqual({ ...context, traceFlags: 0 });
    expect(read({ other: 'x' })).toBeUndefined();
  });

  it('is read from a later version that says more, and only from a later one', () => {
    expect(parent(`cc-${TRACE}-${SPAN}-01-what-comes`)).toEqual(context);
    expect(parent(`cc-${TRACE}-${SPAN}-01what`)).toBeUndefined();
    expect(parent(`00-${TRACE}-${SPAN}-01-what-comes`)).toBeUndefined();
  });

  it('is none where the specification says that it is invalid', () => {
    for (const text of [
      '',
      `ff-${TRACE}-${SPAN}-01`,
      `00-${'0'.repeat(32)}-${SPAN}-01`,
      `00-${TRACE}-${'0'.repeat(16)}-01`,
      `00-${TRACE.toUpperCase()}-${SPAN}-01`,
      `00-${TRACE.slice(1)}-${SPAN}-01`,
      `00-${TRACE}-${SPAN}-1`,
      `00-${TRACE}-${SPAN}`,
    ]) {
      expect(parent(text), text).toBeUndefined();
    }
  });

  it('keeps a valid tracestate as it came, and passes over one that is not', () => {
    for (const text of ['rojo=00f067,congo=t61', ' a=1 ,,\tb@c=x y', '1a=1', `a=${'x'.repeat(256)}`]) {
      expect(state(text), text).toBe(text);
    }
    const tooMany = Array.from({ length: 33 }, (_, i) => `k${i}=v`).join(',');
    for (const text of ['', 'a', '=1', 'A=1', 'a=1,a=2', 'a=b=c', 'a=ü', `a=${'x'.repeat(257)}`, tooMany]) {
      expect(state(text), text).toBeUndefined();
    }
  });

  it('is written as it is read', () => {
    const hex = (length: number) =>
      fc
        .array(fc.constantFrom(...'0123456789abcdef'), { minLength: length, maxLength: length })
        .map(digits => digits.join(''))
        .filter(text => !/^0+$/.test(text));
    const any = fc.record({
      traceId: hex(32),
      spanId: hex(16),
      traceFlags: fc.integer({ min: 0, max: 3 }),
      traceState: fc.constantFrom(undefined, 'a=1', 'a=1,b=2'),
    });
    fc.assert(
      fc.property(any, given => {
        expect(read(traceHeaders(given))).toEqual(given);
      }),
    );
  });

  it('is refused when it is none', () => {
    expect(() => traceHeaders({ ...context, traceId: 'x' })).toThrow('trace context');
    expect(() => traceHeaders({ ...context, spanId: '0'.repeat(16) })).toThrow('trace context');
    expect(() => traceHeaders({ ...context, traceState: 'x' })).toThrow('trace state');
  });
});
