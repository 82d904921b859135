/**
 * Hints and replies as the scripts publish them: one line of words, then bytes; several of them may share a message. Every
 * message may be lost.
 */
import { decodeText } from '../core/text.ts';

export type MailboxMessage =
  | {
      kind: 'assign';
      sequence: number;
      token: number;
      attempt: number;
      key: string;
      dispatch: string;
      terms: string;
      payload: Buffer;
    }
  /** An assignment whose payload is too large for a hint. */
  | { kind: 'fetch'; sequence: number }
  | { kind: 'stop'; sequence: number; token: number; key: string }
  | { kind: 'note'; sequence: number; token: number; key: string }
  /** The job belongs to another worker group now. */
  | { kind: 'regroup'; sequence: number; token: number; key: string; group: string }
  | { kind: 'drain'; sequence: number };

export type PoolEvent =
  | { kind: 'epoch'; epoch: number }
  | { kind: 'pending'; group: string }
  /** A schedule or ticker was changed by somebody. */
  | { kind: 'schedule'; name: string };

export interface ReplyMessage {
  kind: 'started' | 'completed' | 'stopped' | 'dead';
  /** Of the dispatch or the stop request that asked. */
  id: string;
  worker: string;
  token: number;
  body: Buffer;
}

const NEWLINE = 0x0a;

/** The line that begins at `from`, and where what comes behind it begins. */
function lineAt(message: Buffer, from: number): { words: string[]; bodyAt: number } {
  const newline = message.indexOf(NEWLINE, from);
  const end = newline < 0 ? message.length : newline;
  return { words: message.toString('latin1', from, end).split(' '), bodyAt: Math.min(end + 1, message.length) };
}

/** The hints of a message, in order. `undefined` is one of a later version, and ends the list: its length is not known. */
export function parseMailbox(message: Buffer): (MailboxMessage | undefined)[] {
  const hints: (MailboxMessage | undefined)[] = [];
  for (let at = 0; at < message.length; ) {
    const { words, bodyAt } = lineAt(message, at);
    const { hint, end } = parseHint(message, words, bodyAt);
    hints.push(hint);
    at = hint ? end : message.length;
  }
  return hints;
}

function parseHint(
  message: Buffer,
  words: string[],
  bodyAt: number,
): { hint: MailboxMessage | undefined; end: number } {
  const [kind] = words;
  const sequence = Number(words[1]);
  const token = Number(words[2]);
  switch (kind) {
    case 'assign': {
      const payloadAt = bodyAt + Number(words[4]);
      const end = payloadAt + Number(words[5]);
      if (!(end <= message.length)) break;
      const hint: MailboxMessage = {
        kind,
        sequence,
        token,
        attempt: Number(words[3]),
        key: decodeText(message.subarray(bodyAt, payloadAt)),
        dispatch: words[6] ?? '',
        terms: words.slice(7).join(' '),
        // A copy: a job may run for long, and what it was read with would stay with it.
        payload: Buffer.from(message.subarray(payloadAt, end)),
      };
      return { hint, end };
    }
    case 'regroup':
    case 'stop':
    case 'note': {
      const keyEnd = bodyAt + Number(words[3]);
      if (!(keyEnd <= message.length)) break;
      const key = decodeText(message.subarray(bodyAt, keyEnd));
      if (kind !== 'regroup') return { hint: { kind, sequence, token, key }, end: keyEnd };
      const group = message.toString('latin1', keyEnd);
      return { hint: { kind, sequence, token, key, group }, end: message.length };
    }
    case 'fetch':
    case 'drain':
      return { hint: { kind, sequence }, end: bodyAt };
  }
  return { hint: undefined, end: message.length };
}

export function parsePoolEvent(message: Buffer): PoolEvent | undefined {
  const [kind, value = ''] = message.toString('latin1').split(' ');
  if (kind === 'epoch') return { kind, epoch: Number(value) };
  if (kind === 'pending') return { kind, group: value };
  if (kind === 'schedule') return { kind, name: value };
  return undefined;
}

/** The replies of a message, in order: several when they are of jobs that started, otherwise one. */
export function parseReplies(message: Buffer): ReplyMessage[] {
  const replies: ReplyMessage[] = [];
  for (let at = 0; at < message.length; ) {
    const { words, bodyAt } = lineAt(message, at);
    const [kind, id = '', worker = '', token] = words;
    if (kind !== 'started' && kind !== 'completed' && kind !== 'stopped' && kind !== 'dead') break;
    at = kind === 'started' ? bodyAt : message.length;
    replies.push({ kind, id, worker, token: Number(token), body: message.subarray(bodyAt, at) });
  }
  return replies;
}
