import { describe, expect, it } from 'vitest';
import { MailboxCursor } from '../../../src/engine/pool/mailbox.ts';
import { parseMailbox, parsePoolEvent, parseReplies } from '../../../src/engine/pool/messages.ts';

const LATER_MS = MailboxCursor.transitMs;

function synced(sequence: number): MailboxCursor {
  const cursor = new MailboxCursor();
  cursor.restart(sequence);
  cursor.syncBegins(sequence);
  return cursor;
}

describe('the numbers of hints', () => {
  it('show nothing missing while each follows the one before', () => {
    const cursor = synced(5);
    expect([6, 7, 8].map(sequence => cursor.accept(sequence))).toEqual([true, true, true]);
    expect(cursor.missed).toBe(false);
  });

  it('show a gap, and still use what came', () => {
    const cursor = synced(5);
    expect(cursor.accept(7)).toBe(true);
    expect(cursor.missed).toBe(true);
  });

  it('drop what an earlier reading covers', () => {
    const cursor = synced(5);
    expect(cursor.accept(5)).toBe(false);
    cursor.syncBegins(9);
    expect(cursor.accept(8)).toBe(false);
    expect(cursor.accept(10)).toBe(true);
    expect(cursor.missed).toBe(false);
  });

  it('wait a moment for a hint that is counted and not here, then call it lost', () => {
    const cursor = synced(5);
    expect(cursor.compare(6, 1000)).toBe(true);
    expect(cursor.missed).toBe(false);
    cursor.compare(6, 1000 + LATER_MS);
    expect(cursor.missed).toBe(true);
  });

  it('do not mistake steady traffic for loss', () => {
    const cursor = synced(0);
    for (let round = 1; round < 50; round++) {
      expect(cursor.compare(round * 10, round * 1000)).toBe(true);
      for (let sequence = round * 10 - 9; sequence <= round * 10; sequence++) cursor.accept(sequence);
    }
    expect(cursor.missed).toBe(false);
  });

  it('take what is said of the very assignment that a reading gave', () => {
    const cursor = synced(5);
    cursor.claimed('k', 100, 5);
    expect(cursor.accept(6, 'k', 100)).toBe(true);
  });

  it('refuse the hint of an assignment that a reading has replaced', () => {
    const cursor = synced(5);
    cursor.claimed('k', 100, 8);
    expect(cursor.accept(6, 'k', 90)).toBe(false);
    expect(cursor.accept(7, 'k', 110)).toBe(true);
    expect(cursor.accept(8, 'other', 1)).toBe(true);
    // All hints of before the reading are in: nothing has to be remembered any more.
    expect(cursor.accept(9, 'k', 50)).toBe(true);
  });
});

describe('messages', () => {
  it('hold key and payload of any bytes', () => {
    const key = Buffer.from([0xff, 0x0a, 0x20]);
    const message = Buffer.concat([
      Buffer.from('assign 7 1700000000000001 2 3 3 id-1 5 1000 9000 3 - - -\n'),
      key,
      Buffer.from([0, 10, 255]),
    ]);
    expect(parseMailbox(message)).toEqual([
      {
        kind: 'assign',
        sequence: 7,
        token: 1700000000000001,
        attempt: 2,
        key: '\udcff\n ',
        dispatch: 'id-1',
        terms: '5 1000 9000 3 - - -',
        payload: Buffer.from([0, 10, 255]),
      },
    ]);
    expect(parseMailbox(Buffer.from('stop 8 12 1\nk'))).toEqual([{ kind: 'stop', sequence: 8, token: 12, key: 'k' }]);
    expect(parseMailbox(Buffer.from('regroup 8 12 1\nkheavy'))).toEqual([
      { kind: 'regroup', sequence: 8, token: 12, key: 'k', group: 'heavy' },
    ]);
    expect(parseMailbox(Buffer.from('drain 9 \n'))).toEqual([{ kind: 'drain', sequence: 9 }]);
  });

  it('hold several hints, one behind the other', () => {
    const message = Buffer.from(
      'assign 7 1 1 1 2 a 5 - - 2 - - -\nk\n\nfetch 8 \nassign 9 3 1 2 0 b \nk2stop 10 4 1\nk',
    );
    expect(parseMailbox(message)).toMatchObject([
      { kind: 'assign', sequence: 7, key: 'k', payload: Buffer.from('\n\n'), dispatch: 'a' },
      { kind: 'fetch', sequence: 8 },
      { kind: 'assign', sequence: 9, key: 'k2', payload: Buffer.alloc(0), dispatch: 'b' },
      { kind: 'stop', sequence: 10, key: 'k' },
    ]);
  });

  it('of a later version are left alone, and what stands before them is used', () => {
    expect(parseMailbox(Buffer.from('fetch 8 \ndance 9 \nfetch 10 \n'))).toEqual([
      { kind: 'fetch', sequence: 8 },
      undefined,
    ]);
    expect(parsePoolEvent(Buffer.from('dance'))).toBeUndefined();
    expect(parseReplies(Buffer.from('dance id w 1\n'))).toEqual([]);
  });

  it('that are cut short are left alone', () => {
    for (const message of ['assign 7 1 1 1 9 a 5\nkpay', 'assign 7 1\nk', 'stop 8 12 4\nkey', 'regroup 8 12 9\nk']) {
      expect(parseMailbox(Buffer.from(message))).toEqual([undefined]);
    }
  });

  it('say epochs, waiting groups and outcomes', () => {
    expect(parsePoolEvent(Buffer.from('epoch 12'))).toEqual({ kind: 'epoch', epoch: 12 });
    expect(parsePoolEvent(Buffer.from('pending heavy'))).toEqual({ kind: 'pending', group: 'heavy' });
    expect(parseReplies(Buffer.from('completed id1 w1 42\nstarted body\nmore'))).toEqual([
      { kind: 'completed', id: 'id1', worker: 'w1', token: 42, body: Buffer.from('started body\nmore') },
    ]);
    expect(parseReplies(Buffer.from('started id1 w1 42\nstarted id2 w1 43\n'))).toMatchObject([
      { kind: 'started', id: 'id1', token: 42, body: Buffer.alloc(0) },
      { kind: 'started', id: 'id2', token: 43 },
    ]);
  });
});
