import { randomBytes } from 'node:crypto';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/**
 * A random identifier: 16 characters of Crockford base 32 in lower case, 80 random bits.
 * Used for operations, nodes, workers and generations; it carries no time and no order.
 */
export function newId(): string {
  let id = '';
  for (const byte of randomBytes(16)) id += ALPHABET[byte & 31];
  return id;
}
