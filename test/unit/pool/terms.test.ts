import { describe, expect, it } from 'vitest';
import { formatTerms, isTerms, parseTerms } from '../../../src/engine/pool/terms.ts';

const TERMS = {
  attempts: 3,
  backoffMs: 10,
  backoffMaxMs: 20,
  payloadBytes: 1,
  keepMs: undefined,
  replyTo: '',
  digest: '',
};
const TRACE = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  traceFlags: 1,
  traceState: undefined,
};

describe('the trace in the terms of a job', () => {
  it.each([undefined, 'vendor=a', 'vendor=a b,other=%20;x'])('comes back as it was, with the state %j', traceState => {
    const text = formatTerms({ ...TERMS, trace: { ...TRACE, traceState } });
    expect(isTerms(text)).toBe(true);
    expect(text.split(' ')).toHaveLength(traceState === undefined ? 8 : 9);
    expect(parseTerms(text)).toEqual({ ...TERMS, trace: { ...TRACE, traceState } });
  });

  it('goes on without its state when that is long: each record of a job would hold it', () => {
    const traceState = `vendor=${'a'.repeat(200)},two=${'b'.repeat(200)},three=${'c'.repeat(200)}`;
    expect(parseTerms(formatTerms({ ...TERMS, trace: { ...TRACE, traceState } })).trace).toEqual(TRACE);
  });

  it('is none where there is none, or what stands there cannot be read', () => {
    const plain = formatTerms(TERMS);
    expect(parseTerms(plain).trace).toBeUndefined();
    for (const word of ['more', `00-${'0'.repeat(32)}-b7ad6b7169203331-01`]) {
      expect(parseTerms(`${plain} ${word}`)).toEqual({ ...TERMS, trace: undefined });
    }
    expect(parseTerms(`${plain} 00-${TRACE.traceId}-${TRACE.spanId}-01 %`).trace).toBeUndefined();
  });
});
