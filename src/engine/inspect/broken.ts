/**
 * Things that are there and cannot be read, because a key of theirs holds a value of another type, or a map's record a count
 * that is none. One of them must hide neither the others nor itself: it is listed with the reason, and what removes it.
 */
import { WrongTypeError } from '../core/errors.ts';
import { isName } from '../core/names.ts';
import { DamagedMapError } from '../maps/reading.ts';
import type { RedisLink } from '../redis/link.ts';
import { mayBePartition } from '../streams/partitioned.ts';
import type { Finding } from './snapshots.ts';

export type BrokenKind = 'pool' | 'stream' | 'map';

export interface BrokenThing {
  readonly kind: BrokenKind;
  readonly name: string;
  readonly reason: string;
}

/**
 * What is there under each name, one by one, in that order: what is broken as `broken` tells of it. What cannot be read for
 * another reason is left to `failed`.
 * @throws that, without `failed`
 */
export async function readEach<T>(
  names: readonly string[],
  read: (name: string) => Promise<T | undefined>,
  broken: (name: string, reason: string) => T | undefined,
  failed?: (error: unknown) => void,
): Promise<T[]> {
  const found = await Promise.all(
    names.map(async name => {
      try {
        return await read(name);
      } catch (error) {
        if (error instanceof WrongTypeError || error instanceof DamagedMapError) return broken(name, error.message);
        if (!failed) throw error;
        failed(error);
        return undefined;
      }
    }),
  );
  return found.filter(thing => thing !== undefined);
}

/** Of a kind, those whose names can be. Another program may have written to the list, too. */
export async function namesOf(link: RedisLink, kind: 'pools' | 'streams' | 'maps'): Promise<string[]> {
  return (await link.registry.list(kind)).filter(isName);
}

/**
 * What gets rid of it, or what says what does: a pool is looked at key by key, and a partition goes with its stream only.
 */
export function remedyFor(kind: BrokenKind, name: string): string {
  if (kind === 'pool') return `ponos doctor ${name}`;
  if (kind === 'stream' && mayBePartition(name)) return 'ponos doctor';
  return kind === 'map' ? `ponos map destroy ${name}` : `ponos stream remove ${name}`;
}

export function brokenFinding(kind: BrokenKind, name: string, reason: string): Finding {
  return {
    severity: 'critical',
    code: 'BROKEN',
    subject: { kind, name },
    message: `cannot be read: ${reason}`,
    command: remedyFor(kind, name),
  };
}
