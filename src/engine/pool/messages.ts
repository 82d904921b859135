/** Hints and replies as the scripts publish them: one line of words, then bytes. Every one may be lost. */
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

function split(message: Buffer): { words: string[]; body: Buffer } {
  const end = message.indexOf(NEWLINE);
  if (end < 0) return { words: message.toString('latin1').split(' '), body: message.subarray(message.length) };
  return { words: message.toString('latin1', 0, end).split(' '), body: message.subarray(end + 1) };
}

/** undefined for a message of a later version. */
export function parseMailbox(message: Buffer): MailboxMessage | undefined {
  const { words, body } = split(message);
  const [kind, first] = words;
  const sequence = Number(first);
  switch (kind) {
    case 'assign': {
      const keyLength = Number(words[4]);
      return {
        kind,
        sequence,
        token: Number(words[2]),
        attempt: Number(words[3]),
        key: decodeText(body.subarray(0, keyLength)),
        dispatch: words[5] ?? '',
        terms: words.slice(6).join(' '),
        payload: body.subarray(keyLength),
      };
    }
    case 'regroup': {
      const keyLength = Number(words[3]);
      const key = decodeText(body.subarray(0, keyLength));
      return { kind, sequence, token: Number(words[2]), key, group: body.toString('latin1', keyLength) };
    }
    case 'stop':
    case 'note':
      return { kind, sequence, token: Number(words[2]), key: decodeText(body) };
    case 'fetch':
    case 'drain':
      return { kind, sequence };
    default:
      return undefined;
  }
}

export function parsePoolEvent(message: Buffer): PoolEvent | undefined {
  const [kind, value = ''] = message.toString('latin1').split(' ');
  if (kind === 'epoch') return { kind, epoch: Number(value) };
  if (kind === 'pending') return { kind, group: value };
  if (kind === 'schedule') return { kind, name: value };
  return undefined;
}

export function parseReply(message: Buffer): ReplyMessage | undefined {
  const { words, body } = split(message);
  const [kind, id = '', worker = '', token] = words;
  if (kind !== 'started' && kind !== 'completed' && kind !== 'stopped' && kind !== 'dead') return undefined;
  return { kind, id, worker, token: Number(token), body };
}
