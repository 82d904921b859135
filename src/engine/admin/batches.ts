import { shardIndex } from '../pool/hash.ts';
import { jobKeyForm } from '../pool/job-key.ts';
import { Shard } from '../pool/shard.ts';
import type { KeyBytes } from '../redis/keys.ts';
import type { RedisLink } from '../redis/link.ts';

/** Bounds the time one script holds Redis. */
const BATCH = 100;
const IN_FLIGHT = 4;

/**
 * Acts on many jobs of a pool, a batch of one shard at a time and a few batches at once. `act` gives one result for each
 * job of its batch; `onResults` is told of each batch as it is done. `known` are its shards, for a caller that has them.
 * @throws NotFoundError when there is no such pool; ArgumentError, TooLargeError on a bad key; what `act` throws.
 */
export async function actInBatches<Input extends { key: string }, Result>(
  link: RedisLink,
  pool: string,
  inputs: readonly Input[],
  act: (shard: Shard, batch: readonly (Input & { bytes: KeyBytes })[]) => Promise<readonly Result[]>,
  onResults: (inputs: readonly Input[], results: readonly Result[]) => void,
  known?: readonly Shard[],
): Promise<void> {
  const shards = known ?? (await Shard.findAll(link, pool));
  const perShard = shards.map((): (Input & { bytes: KeyBytes })[] => []);
  for (const input of inputs) {
    const { bytes, hash } = jobKeyForm(input.key);
    perShard[shardIndex(hash, shards.length)]?.push({ ...input, bytes });
  }
  const batches = function* () {
    for (const [index, shard] of shards.entries()) {
      const all = perShard[index] ?? [];
      for (let at = 0; at < all.length; at += BATCH) yield { shard, batch: all.slice(at, at + BATCH) };
    }
  };
  const rest = batches();
  const lane = async () => {
    for (const { shard, batch } of rest) onResults(batch, await act(shard, batch));
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
}
