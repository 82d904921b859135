import { OptionError } from '../core/errors.ts';
import type { OptionInput, OptionTable, OptionValues } from '../core/options.ts';
import { storedCount } from '../core/stored.ts';
import type { DurabilityOption } from './durability.ts';
import type { ProtocolRange } from './protocol.ts';

/**
 * The times of a lease. One set for all workers of a pool, kept with it. A worker stops itself `marginMs` before the end
 * of its lease; others take over `graceMs` after it.
 */
export interface LeaseTerms {
  /** How long a worker owns its jobs after a renewal. */
  readonly leaseMs: number;
  /** How long before the end of its lease, as it knows it, a worker gives itself up. */
  readonly marginMs: number;
  /** How long after the end others wait. */
  readonly graceMs: number;
  /** Most that the logical clock moves at once: what a step of Redis's clock or a pause may cost. */
  readonly clampMs: number;
  /** What a handler may take to stop once the lease is lost. */
  readonly stopBudgetMs: number;
}

/**
 * Longest time between two looks of a process at a shard. Each moves the logical clock, by the clamp at most: who looked
 * more seldom would let it fall behind, and with it every delay, back-off and lease.
 */
export function mostLookMs({ clampMs }: LeaseTerms): number {
  return clampMs * LOOK_SHARE;
}

/** What is left is for the jitter of the looks and their way to Redis. */
const LOOK_SHARE = 0.8;

/** An event loop that runs later than this, in ms, puts the lease at risk: it is told, and renewals are sent earlier. */
export function lagLimitMs({ marginMs }: LeaseTerms): number {
  return marginMs / 4;
}

export type LeasePreset = 'default' | 'fast';
export type LeaseOption = LeasePreset | LeaseTerms;

export const leasePresets: Readonly<Record<LeasePreset, LeaseTerms>> = {
  default: { leaseMs: 15_000, marginMs: 1500, graceMs: 2000, clampMs: 2500, stopBudgetMs: 900 },
  fast: { leaseMs: 3000, marginMs: 600, graceMs: 500, clampMs: 600, stopBudgetMs: 400 },
};

/** Rate by which two clocks may drift apart: 200 parts per million. */
const DRIFT = 0.0002;
const MIN_LEASE_MS = 200;
const MAX_LEASE_MS = 3_600_000;

/**
 * A worker that lost its lease must have stopped before others start, even when the logical clock jumped once and the
 * clocks drift: `clamp + drift * lease + stopBudget <= margin + grace`.
 * @throws OptionError when the terms are out of bounds or break that.
 */
export function resolveLease(option: LeaseOption): LeaseTerms {
  if (typeof option === 'string') {
    if (Object.hasOwn(leasePresets, option)) return leasePresets[option];
    throw new OptionError(`lease "${option}" is no preset`, {
      hint: `Known: ${Object.keys(leasePresets).join(', ')}.`,
    });
  }
  for (const name of ['leaseMs', 'marginMs', 'graceMs', 'clampMs', 'stopBudgetMs'] as const) {
    const value = option[name];
    if (!Number.isInteger(value) || value < 1 || value > MAX_LEASE_MS) {
      throw new OptionError(`lease: "${name}" is ${String(value)}, allowed: a whole number from 1 to ${MAX_LEASE_MS}`);
    }
  }
  const { leaseMs, marginMs, graceMs, clampMs, stopBudgetMs } = option;
  if (leaseMs < MIN_LEASE_MS) throw new OptionError(`lease: "leaseMs" is ${leaseMs}, allowed: ${MIN_LEASE_MS} or more`);
  if (marginMs > leaseMs / 3) {
    throw new OptionError(`lease: "marginMs" is ${marginMs}, allowed: a third of "leaseMs" (${leaseMs}) or less`, {
      hint: 'A lease is renewed each third; a larger margin would leave no time for a second attempt.',
    });
  }
  const needMs = clampMs + DRIFT * leaseMs + stopBudgetMs;
  if (needMs > marginMs + graceMs) {
    throw new OptionError(
      `lease: two workers could run one job: clampMs + ${DRIFT} x leaseMs + stopBudgetMs is ${needMs}, over marginMs + graceMs, ${marginMs + graceMs}`,
      { hint: 'Raise marginMs or graceMs, or lower clampMs or stopBudgetMs.' },
    );
  }
  return { leaseMs, marginMs, graceMs, clampMs, stopBudgetMs };
}

export const poolOptions = {
  limit: { kind: 'count', default: 100_000, min: 1, max: 100_000_000, doc: 'Most jobs each shard holds, exact.' },
  shards: {
    kind: 'count',
    default: 1,
    min: 1,
    max: 256,
    doc: 'Shards of a new pool, each in one slot of a cluster. Limits and capacities are per shard.',
  },
  ledgerLength: {
    kind: 'count',
    default: 10_000,
    min: 0,
    max: 10_000_000,
    doc: 'About how many entries of the ledger are kept; 0 keeps none.',
  },
  deadLimit: { kind: 'count', default: 10_000, min: 1, max: 1_000_000, doc: 'Most dead jobs kept, the latest.' },
  allowUnsafeEviction: {
    kind: 'flag',
    default: false,
    doc: 'Work on a Redis that may evict keys. It can then lose jobs without a trace.',
  },
} as const satisfies OptionTable;

/** More than any release makes: what somebody damaged must not make a reader look for millions. */
const MOST_SHARDS = 10_000;

/** Shards of a pool as its settings have them; 1 for what no release writes. */
export function shardCountOf(value: Uint8Array | null | undefined): number {
  const count = storedCount(value, 1);
  return count >= 1 && count <= MOST_SHARDS ? count : 1;
}

export const clientOptions = {
  create: { kind: 'flag', default: false, doc: 'Make the pool when it does not exist.' },
  refreshMs: {
    kind: 'ms',
    default: 5000,
    min: 10,
    max: 600_000,
    doc: 'Time between two looks at the members; four fifths of the clamp of the lease at most.',
  },
  maxPayloadBytes: {
    kind: 'bytes',
    default: 1_048_576,
    min: 1,
    max: 64 * 1_048_576,
    doc: 'Largest payload of a job, a result or a notification.',
  },
  ...poolOptions,
} as const satisfies OptionTable;

export const nodeOptions = {
  create: { kind: 'flag', default: true, doc: 'Make the pool when it does not exist.' },
  reconcileMs: {
    kind: 'ms',
    default: 1000,
    min: 10,
    max: 60_000,
    doc: 'Time between two comparisons of what runs here with what Redis says; four fifths of the clamp of the lease at most.',
  },
  settleMs: {
    kind: 'ms',
    default: 1000,
    min: 0,
    max: 600_000,
    doc: 'How long the membership must be quiet before running jobs move.',
  },
  maxMoves: { kind: 'count', default: 20, min: 1, max: 10_000, doc: 'Most jobs of a worker that move at once.' },
  drainTimeoutMs: {
    kind: 'ms',
    default: 60_000,
    min: 0,
    max: 86_400_000,
    doc: 'How long a drain lets tasks finish before they are stopped and moved.',
  },
  closeTimeoutMs: { kind: 'ms', default: 10_000, min: 0, max: 600_000, doc: 'Longest a close waits for handlers.' },
  maxPayloadBytes: clientOptions.maxPayloadBytes,
  ...poolOptions,
} as const satisfies OptionTable;

export const workerOptions = {
  capacity: {
    kind: 'count',
    default: 10_000,
    min: 1,
    max: 10_000_000,
    doc: 'Most jobs the worker holds at once, in each shard.',
  },
  weight: { kind: 'ratio', default: 1, min: 0.001, max: 1000, doc: 'Share of the jobs, against the other workers.' },
  stopBudgetMs: {
    kind: 'ms',
    default: 5000,
    min: 0,
    max: 3_600_000,
    doc: 'Time a handler has to stop a job that is stopped, moved or drained before it is told of as a zombie.',
  },
} as const satisfies OptionTable;

export const dispatchOptions = {
  timeoutMs: { kind: 'ms', default: 30_000, min: 1, max: 2_147_483_647, doc: 'Longest wait for the job.' },
  delayMs: {
    kind: 'ms',
    default: 0,
    min: 0,
    max: 31_536_000_000,
    doc: 'The job is not started before that. It goes on only while a worker or a client of the pool is connected.',
  },
  attempts: {
    kind: 'count',
    default: 5,
    min: 0,
    max: 1_000_000,
    doc: 'Attempts before the job is dead; 0 never gives up.',
  },
  backoffMs: {
    kind: 'ms',
    default: 1000,
    min: 1,
    max: 86_400_000,
    doc: 'Wait before the second attempt; then it doubles.',
  },
  backoffMaxMs: { kind: 'ms', default: 300_000, min: 1, max: 86_400_000, doc: 'Longest wait between attempts.' },
  retentionMs: {
    kind: 'ms',
    default: 300_000,
    min: 1000,
    max: 604_800_000,
    doc: 'How long the outcome is kept under the id; also of a dispatch that gives no id and waits for nothing.',
  },
} as const satisfies OptionTable;

export interface PoolClientOptions extends OptionInput<typeof clientOptions> {
  /** Terms of the lease when the pool is made; default `default`. */
  lease?: LeaseOption | undefined;
  /** What dispatches, stops and notifications wait for unless they say otherwise; default no replica. */
  durability?: DurabilityOption | undefined;
  /** Versions of the pool protocol to speak. @internal */
  protocols?: ProtocolRange | undefined;
}

export interface PoolNodeOptions extends OptionInput<typeof nodeOptions> {
  /** Terms of the lease. Left out, the pool's own hold, or `default` for a new pool. */
  lease?: LeaseOption | undefined;
  /** What dispatches, stops and notifications wait for unless they say otherwise; default no replica. */
  durability?: DurabilityOption | undefined;
  /** Host name shown to people. */
  host?: string | undefined;
  /** Version of the program shown to people. */
  version?: string | undefined;
  /** Versions of the pool protocol to speak. @internal */
  protocols?: ProtocolRange | undefined;
}

export type NodeSettings = OptionValues<typeof nodeOptions>;
export type ClientSettings = OptionValues<typeof clientOptions>;
export type DispatchSettings = OptionValues<typeof dispatchOptions>;
