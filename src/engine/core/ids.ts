import { randomFillSync } from 'node:crypto';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const ID_LENGTH = 16;

/** Random bytes fetched ahead: asking the system for sixteen costs as much as asking for thousands. */
const pool = Buffer.alloc(ID_LENGTH * 256);
let used = pool.length;

/**
 * A random identifier: 16 characters of Crockford base 32 in lower case, 80 random bits.
 * Used for operations, nodes, workers and generations; it carries no time and no order.
 */
export function newId(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  let id = '';
  for (const end = used + ID_LENGTH; used < end; used++) id += ALPHABET[(pool[used] as number) & 31];
  return id;
}
