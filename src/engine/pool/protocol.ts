/**
 * Versions of what a pool's processes read and write in Redis. A pool speaks one, kept with it; a process speaks a range, so
 * that two releases can run side by side in a rolling upgrade: the newer one speaks what the older one does until the
 * pool is raised, and new fields are ignored by who does not know them.
 */
import { ConflictError } from '../core/errors.ts';

export const PROTOCOL = { oldest: 1, newest: 1 } as const;

/** @throws ConflictError PROTOCOL_MISMATCH when the pool speaks what this process does not. */
export function requireProtocol(pool: string, stored: string): void {
  const version = Number(stored);
  if (version >= PROTOCOL.oldest && version <= PROTOCOL.newest) return;
  const range = PROTOCOL.oldest === PROTOCOL.newest ? PROTOCOL.newest : `${PROTOCOL.oldest} to ${PROTOCOL.newest}`;
  throw new ConflictError(
    `pool "${pool}" speaks version ${stored || 'none'} of the pool protocol, this program ${range}`,
    {
      code: 'PROTOCOL_MISMATCH',
      hint:
        version > PROTOCOL.newest
          ? 'Use a newer release of Ponos.'
          : 'Its workers are of an older release: end them, or use that release.',
    },
  );
}
