/** A dead letter is the entry it was, behind three fields of ours: `i` its id, `c` deliveries, `r` the reason. */
import { decodeText } from '../core/text.ts';
import { FIRST_ID } from './entry-id.ts';

/** The consumer to which replayed events are pending until another claims them. Nobody is behind it. */
export const REPLAY_CONSUMER = 'replay';

export interface DeadOrigin {
  /** Of the event in its stream. */
  id: string;
  deliveryCount: number;
  reason: string;
}

const OWN_FIELDS = 3;

export function parseDeadEntry(fields: readonly Buffer[]): { origin: DeadOrigin; rest: readonly Buffer[] } {
  const [, id, , count, , reason] = fields;
  const known = ['i', 'c', 'r'].every((name, at) => String(fields[at * 2]) === name);
  if (!known || !id || !count || !reason) {
    return { origin: { id: FIRST_ID, deliveryCount: 0, reason: 'unknown' }, rest: fields };
  }
  return {
    origin: { id: String(id), deliveryCount: Number(String(count)), reason: decodeText(reason) },
    rest: fields.slice(OWN_FIELDS * 2),
  };
}
