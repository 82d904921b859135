/**
 * Versions of what a pool's processes read and write in Redis. A pool speaks one, kept with it; a process speaks a range, so
 * that two releases can run side by side in a rolling upgrade: the newer one speaks what the older one does until the
 * pool is raised, and new fields are ignored by who does not know them.
 *
 * A pool is raised only while every member speaks the new version (`lua/raise_protocol.lua`). That makes the shard's
 * generation another one, so nobody writes in the old version after it: whoever goes by it is told LOST at its next step,
 * attaches again, and is refused here if it does not speak the new one.
 */
import { ConflictError } from '../core/errors.ts';

export interface ProtocolRange {
  readonly oldest: number;
  readonly newest: number;
}

export const PROTOCOL: ProtocolRange = { oldest: 1, newest: 1 };

export function formatRange({ oldest, newest }: ProtocolRange): string {
  return oldest === newest ? `${newest}` : `${oldest} to ${newest}`;
}

/** @throws ConflictError PROTOCOL_MISMATCH when the pool speaks what this process does not. */
export function requireProtocol(pool: string, stored: string, speaks: ProtocolRange): void {
  const version = Number(stored);
  if (version >= speaks.oldest && version <= speaks.newest) return;
  throw new ConflictError(
    `pool "${pool}" speaks version ${stored || 'none'} of the pool protocol, this program ${formatRange(speaks)}`,
    {
      code: 'PROTOCOL_MISMATCH',
      hint:
        version > speaks.newest
          ? 'Use a newer release of Ponos.'
          : 'Raise the pool with the release before ("ponos pool upgrade"), or use that release.',
    },
  );
}

/** What a shard was made as; the rest of its generation is the version it was raised to. */
export function originOf(generation: string): string {
  return generation.split('.', 1)[0] as string;
}
