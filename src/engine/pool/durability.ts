/**
 * How safe a request must be before it counts as done. A master that fails takes with it what no replica had; with
 * durability a request waits for replicas, and fails as NOT_REPLICATED rather than say what may not hold.
 */
import { NotReplicatedError } from '../core/errors.ts';
import { type OptionInput, type OptionTable, resolveOptions } from '../core/options.ts';
import type { Durability } from '../redis/durable.ts';

export const durabilityOptions = {
  replicas: {
    kind: 'count',
    default: 0,
    min: 0,
    max: 100,
    doc: 'Replicas that must have a request before it counts as done; 0 waits for none.',
  },
  timeoutMs: { kind: 'ms', default: 1000, min: 1, max: 600_000, doc: 'Longest wait for them.' },
} as const satisfies OptionTable;

export type DurabilityOption = OptionInput<typeof durabilityOptions>;

/** What is left out is as in `otherwise`. */
export function resolveDurability(option?: DurabilityOption, otherwise?: Durability): Durability {
  if (!option && otherwise) return otherwise;
  const { replicas = otherwise?.replicas, timeoutMs = otherwise?.timeoutMs } = option ?? {};
  return resolveOptions('durability', durabilityOptions, { ...option, replicas, timeoutMs });
}

/** @throws NotReplicatedError */
export function requireReplicas(what: string, id: string, replicas: number, durability: Durability): void {
  if (replicas >= durability.replicas) return;
  throw new NotReplicatedError(what, id, replicas, durability.replicas, {
    hint: 'It stands unless the master fails now. Are the replicas connected? It may be sent again with the same id.',
  });
}
