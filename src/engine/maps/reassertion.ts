/**
 * Writes the last copy known of a map that Redis lost back into it, once for all replicas.
 *
 * Each replica that finds the loss offers its copy; for a moment the offer with the highest revision wins, then that replica
 * stages its entries beside the map, a part at a time, and puts them in place in one step. What was written since the loss is
 * newer and stays; an entry that was written and deleted again since may come back. Redis is authoritative throughout: the
 * scripts refuse when the map was reset, destroyed or begun anew on purpose, or was written back already.
 *
 * Failure: a leader that dies leaves a stage that expires, and another leads. A second flush takes stage and offer along, and
 * everything begins again.
 */
import { byteLength } from '../core/bytes.ts';
import { sleep } from '../core/clock.ts';
import { newId } from '../core/ids.ts';
import { encodeText } from '../core/text.ts';
import type { RedisLink } from '../redis/link.ts';
import type { Argument } from '../redis/script.ts';
import { reassertCommitScript, reassertStageScript } from './scripts.gen.ts';

export interface LostCopy {
  name: string;
  /** The generation that was lost. */
  generation: string;
  revision: number;
  expiresAtMs: number;
  entries: ReadonlyMap<string, string>;
}

/** `beaten`: another replica leads. `settled`: there is nothing to write back any more. */
export type Reassertion = 'restored' | 'beaten' | 'settled';

/** How long offers are waited for, that a copy far behind does not come first. */
export const BID_MS = 200;
const PART_BYTES = 1024 ** 2;
const PART_COUNT = 1000;

/** Repeated after a failure it goes on where it was. */
export async function reassert(
  link: RedisLink,
  copy: LostCopy,
  replica: string,
  signal: AbortSignal,
): Promise<Reassertion> {
  const { data, meta, changes, restorer, stage } = link.keys.map(copy.name);
  const keys = { data, meta, restorer, stage };
  const offer = { changes, lost: copy.generation, copied: copy.revision, replica };
  const put = (offset: number, entries: readonly Argument[]) =>
    link.commands.run(reassertStageScript, keys, { ...offer, offset, entries });
  const bid = await put(0, []);
  if (bid.status !== 'LEADS') return refused(bid.status);
  await sleep(link.clock, BID_MS, signal);
  let offset = 0;
  for (const part of partsOf(copy.entries)) {
    if (signal.aborted) return 'beaten';
    const { status } = await put(offset, part);
    if (status !== 'LEADS') return refused(status);
    offset += part.length / 2;
  }
  // First, so that a map is never unlisted for longer than a crash takes.
  await link.registry.add('maps', copy.name);
  const deadline = Math.ceil(copy.expiresAtMs);
  const { status } = await link.commands.run(reassertCommitScript, keys, {
    ...offer,
    total: offset,
    deadline,
    next: newId(),
  });
  return status === 'RESTORED' ? 'restored' : refused(status);
}

function refused(status: 'BEATEN' | 'SETTLED'): Reassertion {
  return status === 'BEATEN' ? 'beaten' : 'settled';
}

function* partsOf(entries: ReadonlyMap<string, string>): Generator<Argument[]> {
  let part: Argument[] = [];
  let bytes = 0;
  for (const entry of entries) {
    for (const text of entry) {
      const encoded = encodeText(text);
      bytes += byteLength(encoded);
      part.push(encoded);
    }
    if (bytes < PART_BYTES && part.length < 2 * PART_COUNT) continue;
    yield part;
    part = [];
    bytes = 0;
  }
  if (part.length > 0) yield part;
}
