/**
 * What the scripts of a shard are compared with: the same transitions on plain data. Workers here are names; time passes
 * when a command says so. `Model` is what Redis knows, and goes back with it when it loses something; `Memory` is what
 * callers know, who lose nothing.
 */
import { expect } from 'vitest';
import type { Shard } from '../../../../src/engine/pool/shard.ts';
import type { RedisLink } from '../../../../src/engine/redis/link.ts';
import { LONG_LEASE } from '../../../support/shard.ts';
import { beginTimeline, type Claimed, type ModelSchedule, type Seen, type Timeline } from './timeline.ts';

export const LIMIT = 2;
export const CAPACITY = 2;
export const MAX_ATTEMPTS = 2;
export const WORKERS = ['a', 'b'] as const;
export const KEYS = ['k0', 'k1', 'k2'] as const;
export const GROUPS = ['default', 'other'] as const;

export interface ModelJob {
  state: 'pending' | 'assigned' | 'running' | 'stopping';
  worker: string;
  /** Of the present assignment; 0 while it waits. */
  token: number;
  group: string;
  dispatch: string;
  attempt: number;
  /** Not due before the clock shows this; only "now or much later" matters. */
  due: boolean;
  /** Notifications not handled, by number. */
  notes: number[];
  /** How many of its notifications were handled and dropped. */
  notesDone: number;
  /** The loss in whose quarantine somebody asked it to stop. */
  stoppedAfter?: number | undefined;
}
export interface ModelWorker {
  incarnation: number;
  leaseLeftMs: number;
  draining: boolean;
}
export interface Model {
  epoch: number;
  jobs: Map<string, ModelJob>;
  workers: Map<string, ModelWorker>;
  dead: Set<string>;
  /** Dispatches whose end is recorded, and the key of each. */
  outcomes: Map<string, string>;
  schedules: Map<string, ModelSchedule>;
  closed: boolean;
  quarantineLeftMs: number;
}
/** What a caller was given with a token. */
export interface Held {
  token: number;
  dispatch: string;
  attempt: number;
  group: string;
}
interface Given {
  givenIn: string;
  first: number;
  numbers: number[];
  lossCount: number;
}
export interface Memory {
  highest: number;
  highestEpoch: number;
  /** Every assignment there was, for callers that come late. */
  held: Map<string, Held[]>;
  /** The notifications that the last request for those of a key was given. */
  given: Map<string, Given>;
  /** How often Redis lost something. */
  lossCount: number;
  /** For ids that are used once. */
  count: number;
  timeline: Timeline;
  /** What each scheduler saw last of each schedule. */
  seen: Map<string, Seen>;
  /** What each holder of a ticker took last. */
  claims: Map<string, Claimed>;
}
export interface Real {
  shard: Shard;
  link: RedisLink;
  pool: string;
  memory: Memory;
}

export interface Command {
  readonly step: object;
  take(model: Model, real: Real): Promise<void>;
}

export function emptyModel(): Model {
  return {
    epoch: 1,
    jobs: new Map(),
    workers: new Map(),
    dead: new Set(),
    outcomes: new Map(),
    schedules: new Map(),
    closed: false,
    quarantineLeftMs: 0,
  };
}

export function emptyMemory(): Memory {
  return {
    highest: 0,
    highestEpoch: 0,
    held: new Map(),
    given: new Map(),
    lossCount: 0,
    count: 0,
    timeline: beginTimeline(),
    seen: new Map(),
    claims: new Map(),
  };
}

export function alive(model: Model, id: string): boolean {
  return (model.workers.get(id)?.leaseLeftMs ?? 0) > 0;
}

export function quarantined(model: Model): boolean {
  return model.quarantineLeftMs > 0;
}

export function owned(model: Model, id: string): string[] {
  return [...model.jobs].filter(([, job]) => job.worker === id && job.state !== 'pending').map(([name]) => name);
}

/** A token was given for a job, which has dispatch, attempt and group by now. */
export function minted(model: Model, { memory }: Real, name: string, token: number): number {
  expect(token).toBeGreaterThan(memory.highest);
  memory.highest = token;
  const { dispatch, attempt, group } = model.jobs.get(name) as ModelJob;
  memory.held.set(name, [...(memory.held.get(name) ?? []), { token, dispatch, attempt, group }]);
  return token;
}

export function requeue(job: ModelJob, due: boolean): void {
  Object.assign(job, { state: 'pending', worker: '', due, token: 0 });
}

/** The job is over, and Redis remembers for a while how. */
export function end(model: Model, name: string): void {
  model.outcomes.set((model.jobs.get(name) as ModelJob).dispatch, name);
  model.jobs.delete(name);
}

const NOTHING: Held = { token: 1, dispatch: 'none', attempt: 1, group: 'default' };

/** What a caller knows of the job: the present assignment, or one of before. */
export function heldOf({ memory }: Real, name: string, isLate: boolean): Held {
  const held = memory.held.get(name) ?? [];
  return (isLate ? held.at(-2) : held.at(-1)) ?? NOTHING;
}

/** The job, when a caller with that token may still end it. */
export function mine(model: Model, name: string, token: number): ModelJob | undefined {
  const job = model.jobs.get(name);
  return job && job.state !== 'pending' && job.token === token ? job : undefined;
}

/** Redis may have lost it: in quarantine what the caller has counts for more than an older record, or none. */
export function unsure(model: Model, name: string, token: number): boolean {
  return quarantined(model) && (model.jobs.get(name)?.token ?? 0) < token;
}

/** Why a dispatch of this key is not admitted. */
export function refusal(model: Model, name: string): 'EXISTS' | 'CLOSED' | 'QUARANTINE' | 'FULL' | undefined {
  if (model.jobs.has(name)) return 'EXISTS';
  if (model.closed) return 'CLOSED';
  if (quarantined(model)) return 'QUARANTINE';
  return model.jobs.size >= LIMIT ? 'FULL' : undefined;
}

/** An admitted job; assigned when the worker takes it at once. */
export function admit(model: Model, name: string, dispatch: string, group: string, worker: string): ModelJob {
  const job: ModelJob = {
    state: worker === '' ? 'pending' : 'assigned',
    worker,
    token: 0,
    group,
    dispatch,
    attempt: worker === '' ? 0 : 1,
    due: true,
    notes: [],
    notesDone: 0,
  };
  model.jobs.set(name, job);
  return job;
}

export function tokenNumber(raw: unknown): number {
  return Number(String(raw));
}

export function passed(model: Model, ms: number): void {
  for (const state of model.workers.values()) state.leaseLeftMs -= ms;
  for (const { claim } of model.schedules.values()) if (claim) claim.leftMs -= ms;
  model.quarantineLeftMs -= ms;
  // Longer than any back-off here.
  for (const job of model.jobs.values()) job.due ||= ms >= 1000;
}

/** Redis is another one: nothing is admitted or given for a lease, and every view of before is old. */
export function lost(model: Model, memory: Memory, epoch: number): void {
  expect(epoch).toBeGreaterThan(memory.highestEpoch);
  model.epoch = epoch;
  model.quarantineLeftMs = LONG_LEASE.leaseMs;
}
