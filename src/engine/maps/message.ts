/**
 * The message of a change, published by the script that made it:
 *
 *   <generation> <previous revision> <revision> <expires at, ms, or 0> <kind> <sizes>\n<bytes>
 *
 * It carries resulting values, never differences, so applying the last message of a key settles that key. Sizes are those of
 * the parts of the bytes: of the key for `set` and `delete`; of each key for `fetch`; of each key and value for a `batch`.
 */
import { decodeText } from '../core/text.ts';

interface MessageHead {
  generation: string;
  /** Revision this change follows; a replica at any other has missed something. */
  previous: number;
  revision: number;
  /** Redis's wall clock when the map will empty, or 0. */
  expiresAtMs: number;
}

export type MapMessage = MessageHead &
  (
    | { kind: 'set'; key: string; value: string }
    /** Set to values too big for a message. */
    | { kind: 'fetch'; keys: string[] }
    | { kind: 'delete'; key: string }
    | { kind: 'batch'; entries: [key: string, value: string][] }
    | { kind: 'reset' }
    | { kind: 'expired' }
    | { kind: 'destroyed' }
    /** Entries that Redis had lost are back. It follows a revision that no replica shows, so each reads the map anew. */
    | { kind: 'restored' }
  );

const NEWLINE = 10;

/** Undefined for what is no message of a map: anything may be published on a channel. */
export function parseMessage(payload: Buffer): MapMessage | undefined {
  const end = payload.indexOf(NEWLINE);
  if (end < 0) return undefined;
  const fields = payload.toString('latin1', 0, end).split(' ');
  if (fields.length !== 6) return undefined;
  const [generation, previousText, revisionText, expiresText, kind, sizes] = fields as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const previous = Number(previousText);
  const revision = Number(revisionText);
  const expiresAtMs = Number(expiresText);
  if (!generation || !(revision > previous) || !Number.isSafeInteger(revision) || !Number.isSafeInteger(expiresAtMs))
    return undefined;
  const head = { generation, previous, revision, expiresAtMs };
  const start = end + 1;
  switch (kind) {
    case 'set': {
      const split = start + Number(sizes);
      if (!(split <= payload.length)) return undefined;
      return {
        ...head,
        kind,
        key: decodeText(payload.subarray(start, split)),
        value: decodeText(payload.subarray(split)),
      };
    }
    case 'delete':
      return { ...head, kind, key: decodeText(payload.subarray(start)) };
    case 'fetch': {
      const keys = parseParts(sizes, payload, start);
      return keys && { ...head, kind, keys };
    }
    case 'batch': {
      const parts = parseParts(sizes, payload, start);
      if (!parts || parts.length % 2 !== 0) return undefined;
      const entries: [string, string][] = [];
      for (let i = 0; i < parts.length; i += 2) entries.push([parts[i] as string, parts[i + 1] as string]);
      return { ...head, kind, entries };
    }
    case 'reset':
    case 'expired':
    case 'destroyed':
    case 'restored':
      return { ...head, kind };
    default:
      return undefined;
  }
}

function parseParts(sizes: string, payload: Buffer, start: number): string[] | undefined {
  const parts: string[] = [];
  let at = start;
  for (const size of sizes.split(',')) {
    const end = at + Number(size);
    if (!(end <= payload.length)) return undefined;
    parts.push(decodeText(payload.subarray(at, end)));
    at = end;
  }
  return at === payload.length ? parts : undefined;
}
