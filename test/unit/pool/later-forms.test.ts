import { describe, expect, it } from 'vitest';
import { parseHealth } from '../../../src/engine/pool/health.ts';
import { Membership } from '../../../src/engine/pool/membership.ts';
import { parseMailbox, parsePoolEvent, parseReplies } from '../../../src/engine/pool/messages.ts';
import { formatTerms, isTerms, parseTerms } from '../../../src/engine/pool/terms.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { WORKER_INFO } from '../../support/shard.ts';

describe('what a later version adds at the end is ignored', () => {
  const TERMS = {
    attempts: 3,
    backoffMs: 10,
    backoffMaxMs: 20,
    payloadBytes: 1,
    keepMs: 5,
    replyTo: 'node',
    digest: 'sum',
  };

  it('in the terms of a job', () => {
    const longer = `${formatTerms(TERMS)} more and-more`;
    expect(isTerms(longer)).toBe(true);
    expect(parseTerms(longer)).toEqual(TERMS);
    expect(isTerms('3 10 20 1 - -')).toBe(false);
  });

  it('in messages, where longer terms go on to whoever reads them next', () => {
    const [assign] = parseMailbox(Buffer.from('assign 7 12 2 1 1 id 3 10 20 1 5 node sum more\nkx'));
    expect(assign).toMatchObject({ key: 'k', dispatch: 'id', terms: '3 10 20 1 5 node sum more' });
    expect(parseMailbox(Buffer.from('stop 8 12 1 more\nk'))).toMatchObject([{ kind: 'stop', token: 12, key: 'k' }]);
    expect(parseMailbox(Buffer.from('drain 9 more\n'))).toEqual([{ kind: 'drain', sequence: 9 }]);
    expect(parsePoolEvent(Buffer.from('epoch 12 more'))).toEqual({ kind: 'epoch', epoch: 12 });
    expect(parseReplies(Buffer.from('completed id w 42 more\nbody'))).toMatchObject([{ token: 42, worker: 'w' }]);
  });

  it('in what a worker says of itself', () => {
    expect(parseHealth('{"zombieCount":2,"more":{}}')).toMatchObject({ zombieCount: 2, lagging: false });
    const membership = new Membership(new ManualClock());
    const text = Buffer.from(JSON.stringify({ ...WORKER_INFO, more: { deep: [1] } }));
    membership.apply({
      status: 'MEMBERS',
      epoch: 2,
      mail: 0,
      reapable: 0,
      due: 0,
      next_ms: -1,
      server: 's',
      quarantine_ms: 0,
      queued: 0,
      list: [[Buffer.from('w'), 4, 0, text, 1, 'more']],
    });
    expect(membership.placement.seat('w')).toMatchObject({ group: 'default', owned: 4, proven: true });
  });
});
