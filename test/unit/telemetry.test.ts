import { describe, expect, it } from 'vitest';
import { HandlerError } from '../../src/engine/core/errors.ts';
import { type Span, type SpanStart, type Telemetry, Tracer } from '../../src/engine/core/telemetry.ts';
import { SpanRecorder } from '../support/spans.ts';

const describeSpan = (): SpanStart => ({ kind: 'client', name: 'work', attributes: {}, parent: undefined });

function tracerOf(span: Partial<Span>, errors: unknown[] = []): Tracer {
  const telemetry: Telemetry = {
    start: () => ({ context: undefined, end: () => {}, ...span }),
    onError: error => errors.push(error),
  };
  return new Tracer(telemetry);
}

describe('work under a span', () => {
  it('ends it when it gives a value, and when its promise settles', async () => {
    const spans = new SpanRecorder();
    const tracer = new Tracer(spans);
    expect(tracer.around(describeSpan, () => 1)).toBe(1);
    expect(spans.spans[0]?.ended).toBe(true);
    const { promise, resolve } = Promise.withResolvers<number>();
    const given = tracer.around(
      describeSpan,
      () => promise,
      outcome => ({ attributes: { value: 'value' in outcome ? outcome.value : -1 } }),
    );
    expect(spans.spans[1]?.ended).toBe(false);
    resolve(2);
    expect(await given).toBe(2);
    expect(spans.spans[1]).toMatchObject({ ended: true, attributes: { value: 2 } });
  });

  it('ends it as failed when it throws or rejects, with a type that has few values', async () => {
    const spans = new SpanRecorder();
    const tracer = new Tracer(spans);
    const fail = (error: unknown) => () => {
      throw error;
    };
    expect(() => tracer.around(describeSpan, fail(new RangeError('x')))).toThrow('x');
    await expect(tracer.around(describeSpan, async () => fail(new HandlerError('y'))())).rejects.toThrow('y');
    expect(() => tracer.around(describeSpan, fail('z'))).toThrow('z');
    expect(spans.spans.map(({ attributes, error }) => [attributes['error.type'], String(error)])).toEqual([
      ['RangeError', 'RangeError: x'],
      ['HANDLER_FAILED', expect.stringContaining('y')],
      ['string', 'z'],
    ]);
  });

  it('is done once, and gives what it gives, whatever the telemetry does', () => {
    const broken = () => {
      throw new Error('telemetry');
    };
    const hooks: Partial<Span>[] = [
      { run: broken },
      { run: (() => {}) as Span['run'] },
      {
        run: act => {
          act();
          return act();
        },
      },
      {
        run: act => {
          act();
          throw new Error('telemetry');
        },
      },
      { run: () => 'another' as never },
      { end: broken },
      {
        get context(): never {
          throw new Error('telemetry');
        },
      },
    ];
    for (const hook of hooks) {
      let calls = 0;
      expect(tracerOf(hook).around(describeSpan, () => ++calls)).toBe(1);
      expect(calls).toBe(1);
      const failing = () => {
        calls++;
        throw new Error('work');
      };
      expect(() => tracerOf(hook).around(describeSpan, failing)).toThrow('work');
      expect(calls).toBe(2);
    }
  });

  it('is done when no span begins, or none can be described; that is told', () => {
    const errors: unknown[] = [];
    const start = () => {
      throw new Error('no span');
    };
    const tracer = new Tracer({ start, onError: error => errors.push(error) });
    expect(tracer.around(describeSpan, span => span.context)).toBeUndefined();
    const undescribed = () => {
      throw new Error('no words');
    };
    expect(tracerOf({}, errors).around(undescribed, () => 1)).toBe(1);
    expect(errors.map(String)).toEqual(['Error: no span', 'Error: no words']);
    const deaf = new Tracer({
      start,
      onError: () => {
        throw new Error('deaf');
      },
    });
    expect(deaf.around(describeSpan, () => 1)).toBe(1);
  });

  it('has no context to carry when the span is not recorded', () => {
    const context = { traceId: '0'.repeat(32), spanId: '0'.repeat(16), traceFlags: 0, traceState: undefined };
    const errors: unknown[] = [];
    expect(tracerOf({ context }, errors).start(describeSpan).context).toBeUndefined();
    expect(errors).toEqual([]);
  });

  it('gives text to the telemetry, also for names that are none', () => {
    const spans = new SpanRecorder();
    const name = 'of \udcff';
    new Tracer(spans).start(() => ({ ...describeSpan(), name, attributes: { name } })).end();
    expect(spans.spans[0]).toMatchObject({ name: 'of \ufffd', attributes: { name: 'of \ufffd' } });
  });
});
