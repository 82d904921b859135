/**
 * The crash sweep: a process ends just before or just after one script, then one healthy process comes up. What was
 * accepted must run there or be over, under tokens that only grow, and the pool must be in order, one lease, grace and a
 * second after the crash.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { listRoutes } from '../../../../src/engine/admin/pools.ts';
import { repairPool } from '../../../../src/engine/admin/repair.ts';
import { openPool } from '../../../../src/engine/admin/shutdown.ts';
import { NotFoundError } from '../../../../src/engine/core/errors.ts';
import { newId } from '../../../../src/engine/core/ids.ts';
import type { Job } from '../../../../src/engine/pool/handler.ts';
import { PoolNode } from '../../../../src/engine/pool/node.ts';
import type { LeaseTerms } from '../../../../src/engine/pool/options.ts';
import { PROTOCOL, type ProtocolRange } from '../../../../src/engine/pool/protocol.ts';
import { removePool } from '../../../../src/engine/pool/removal.ts';
import * as scripts from '../../../../src/engine/pool/scripts.gen.ts';
import { RedisLink } from '../../../../src/engine/redis/link.ts';
import type { Script } from '../../../../src/engine/redis/script.ts';
import { findViolations } from '../../../support/pool-invariants.ts';
import { type Crash, runVictim, sweepOver } from '../../crash.ts';
import { Journal, type JournalEvent, nowMs } from '../journal.ts';
import { findWrongRuns, findWrongTicks, LASTING, TICKER, TIMING } from './ticks.ts';
import type { VictimOptions } from './victim.ts';

export const LEASE: LeaseTerms = { leaseMs: 900, marginMs: 300, graceMs: 300, clampMs: 300, stopBudgetMs: 250 };
/** Every script there is, so that a new one cannot be forgotten. */
export const SCRIPTS = (Object.values(scripts) as Script[]).map(({ name }) => name);

/** Written down when Redis has forgotten the pool: what only a dead process knew is lost with it. */
export const FORGOTTEN = 'redis forgets the pool';

/** Written down with what is sent once more after it was dead. */
export const RETRIED = 'retried';
/** Both processes are of a release that speaks one version more than the one that made the pool. */
export const NEW_RELEASE: ProtocolRange = { oldest: PROTOCOL.oldest, newest: PROTOCOL.newest + 1 };

/** A pool that the victim makes and removes. */
export const SPARE = 'spare';
/** Dispatched by the healthy process. */
const REOPENED = 'reopened';
const VICTIM = join(import.meta.dirname, 'victim.ts');
const FOLDER = join(import.meta.dirname, '..', '..', '..', '..', '.test-history');
const LOOK_EVERY_MS = 20;
/** Past the limit it is only told how long it took. */
const GIVE_UP_MS = 15_000;

export interface Verdict {
  crash: Crash;
  /** From the crash until everything was in order. */
  tookMs: number;
  overlaps: number;
  lost: number;
  problems: string[];
}

export function sweep(crashes: readonly Crash[], url: string, lanes: number): Promise<Verdict[]> {
  return sweepOver(crashes, lanes, crash => recoverFrom(crash, url));
}

async function recoverFrom(crash: Crash, url: string): Promise<Verdict> {
  const folder = join(FOLDER, `sweep-${crash.script}-${crash.nth}-${crash.when}-${newId()}`);
  mkdirSync(folder, { recursive: true });
  const place = { url, prefix: `sweep-${newId()}`, pool: 'swept' };
  const victim = join(folder, 'victim.jsonl');
  const options: VictimOptions = { ...place, ...crash, journal: victim, lease: LEASE };
  const fault = await runVictim(VICTIM, options);
  if (fault !== undefined) return { crash, tookMs: 0, overlaps: 0, lost: 0, problems: [fault] };
  const verdict = await new Recovery(crash, place, victim, join(folder, 'healthy.jsonl')).run();
  if (verdict.problems.length === 0) await rm(folder, { recursive: true });
  return verdict;
}

class Recovery {
  readonly #crash: Crash;
  readonly #place: { url: string; prefix: string; pool: string };
  readonly #victim: string;
  readonly #healthy: string;
  readonly #alive = new Map<string, number>();

  constructor(crash: Crash, place: { url: string; prefix: string; pool: string }, victim: string, healthy: string) {
    this.#crash = crash;
    this.#place = place;
    this.#victim = victim;
    this.#healthy = healthy;
  }

  async run(): Promise<Verdict> {
    const { url, prefix, pool } = this.#place;
    const crashedMs = nowMs();
    const link = await RedisLink.connect({ url, prefix });
    const node = await PoolNode.join(link, pool, {
      lease: LEASE,
      reconcileMs: 100,
      settleMs: 20,
      protocols: NEW_RELEASE,
    });
    const journal = new Journal(this.#healthy, 'healthy');
    const handler = {
      start: (job: Job) => {
        journal.write('start', { jobs: [[job.key, job.token]] });
        this.#alive.set(job.key, job.token);
      },
      stop: (job: Job) => {
        if (this.#alive.get(job.key) === job.token) this.#alive.delete(job.key);
        journal.write('stop', { jobs: [[job.key, job.token]] });
      },
    };
    for (const group of ['default', 'others', 'ghosts'])
      await node.addWorker({ handler, group, id: `healthy-${group}` });
    await node.ticker(TICKER, TIMING, tick => journal.write('ticked', { detail: String(tick.atMs) }));
    // Whoever closed it is gone; what came before that must not be, and what comes now must be taken.
    const [closedAt] = (await link.commands.call('HMGET', link.keys.pool(pool).config, 'closed-at')) as [Buffer | null];
    if (closedAt) await openPool(link, pool);
    if (this.#crash.script === 'pool.gate') {
      journal.write('sent', { jobs: [[REOPENED, 0]] });
      await node.dispatch(REOPENED, '', { id: REOPENED });
      journal.write('accepted', { jobs: [[REOPENED, 0]] });
    }
    // Only an operator mends what nothing of ours breaks.
    const told = this.#events(this.#victim).map(({ what }) => what);
    const leftBroken = told.includes('broken') && !told.includes('mended');
    if (leftBroken) await repairPool(link, pool, { broken: 'set-aside' });
    let wrong: string[] = [];
    for (const giveUpMs = crashedMs + GIVE_UP_MS; ; ) {
      wrong = await this.#findWrong(link);
      if (wrong.length === 0 || nowMs() > giveUpMs) break;
      await new Promise(resolve => setTimeout(resolve, LOOK_EVERY_MS));
    }
    const tookMs = nowMs() - crashedMs;
    if (told.includes('removing')) wrong.push(...(await findLeft(link)));
    await node.close();
    await removeKeys(link);
    await link.close();
    const overlaps = this.#tokensBack();
    return {
      crash: this.#crash,
      tookMs,
      overlaps: overlaps.length,
      lost: wrong.filter(what => what.endsWith('is lost')).length,
      problems: [...wrong, ...overlaps],
    };
  }

  /** Empty as soon as everything is as it must be. */
  async #findWrong(link: RedisLink): Promise<string[]> {
    const keys = link.keys.pool(this.#place.pool);
    const before = this.#events(this.#victim);
    const both = [...before, ...this.#events(this.#healthy)];
    const keysOf = (what: JournalEvent['what'], detail?: string) =>
      new Set(both.filter(event => event.what === what && (!detail || event.detail === detail)).map(keyOf));
    const accepted = keysOf('accepted');
    const retried = { sent: keysOf('sent', RETRIED), accepted: keysOf('accepted', RETRIED) };
    const forgotten = before.some(({ detail }) => detail === FORGOTTEN);
    const wrong: string[] = [];
    for (const key of keysOf('sent')) {
      const [state, token] = (await link.commands.call('HMGET', keys.job(key), 'state', 'token')) as (Buffer | null)[];
      const [outcome] = (await link.commands.call('HMGET', keys.dispatch(key), 'outcome')) as (Buffer | null)[];
      const isOver = outcome !== null && !retried.accepted.has(key);
      if (state === null && !isOver && accepted.has(key) && !forgotten) wrong.push(`${key} is lost`);
      if (retried.sent.has(key) && !forgotten) {
        const isDead = (await link.commands.call('EXISTS', keys.deadJob(key))) === 1;
        if (isDead === (state !== null)) wrong.push(`${key} is ${isDead ? 'dead and there again' : 'not even dead'}`);
      }
      if (state === null) continue;
      if (outcome !== null && !retried.sent.has(key)) wrong.push(`${key} is ${outcome} and there again`);
      const runs = String(state) === 'running' && this.#alive.get(key) === Number(String(token));
      if (!runs) wrong.push(`${key} is ${state}, and at work here: ${this.#alive.get(key) ?? 'no'}`);
    }
    const isScheduled = before.some(({ what }) => what === 'scheduled') && !forgotten;
    const isThere = (await link.commands.call('EXISTS', keys.schedule(LASTING))) === 1;
    if (isScheduled && !isThere) wrong.push(`the schedule ${LASTING} is lost`);
    wrong.push(...(await findWrongTicks(link, this.#place.pool)), ...this.#wrongRuns(forgotten));
    return wrong.length > 0 ? wrong : findViolations(link, this.#place.pool);
  }

  #wrongRuns(forgotten: boolean): string[] {
    const ticksOf = (file: string) =>
      this.#events(file)
        .filter(({ what }) => what === 'ticked')
        .map(({ detail }) => Number(detail));
    const { script, when } = this.#crash;
    const mayRepeat = script !== 'pool.ticker_finish' || when === 'before';
    return findWrongRuns(ticksOf(this.#victim), ticksOf(this.#healthy), { mayRepeat, whole: !forgotten });
  }

  /** Starts in the order in which they came, over both processes. */
  #tokensBack(): string[] {
    const starts = [...this.#events(this.#victim), ...this.#events(this.#healthy)].filter(
      ({ what }) => what === 'start',
    );
    const highest = new Map<string, number>();
    const back: string[] = [];
    for (const { jobs = [], who } of starts.sort((a, b) => a.atMs - b.atMs)) {
      for (const [key, token] of jobs) {
        if (token <= (highest.get(key) ?? 0))
          back.push(`${key} starts in ${who} under ${token}, after ${highest.get(key)}`);
        highest.set(key, Math.max(token, highest.get(key) ?? 0));
      }
    }
    return back;
  }

  #events(file: string): JournalEvent[] {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter(line => line.endsWith('}'))
      .map(line => JSON.parse(line) as JournalEvent);
  }
}

function keyOf({ jobs = [] }: JournalEvent): string {
  return jobs[0]?.[0] ?? '';
}

/** What another removal leaves of the pool that was being removed: nothing but the mark. */
async function findLeft(link: RedisLink): Promise<string[]> {
  await removePool(link, SPARE).catch((error: unknown) => {
    if (!(error instanceof NotFoundError)) throw error;
  });
  const left = (await link.registry.list('pools')).filter(name => name === SPARE).map(name => `${name} is listed`);
  if ((await listRoutes(link, SPARE)).length > 0) left.push(`${SPARE} has routes`);
  const { config } = link.keys.pool(SPARE);
  for await (const names of link.commands.scanKeys(`${link.keys.poolPrefix(SPARE)}*`)) {
    left.push(...names.map(String).filter(name => name !== config));
  }
  if (((await link.commands.call('HMGET', config, 'state')) as unknown[]).join() !== 'removed') left.push(config);
  return left;
}

async function removeKeys(link: RedisLink): Promise<void> {
  for await (const names of link.commands.scanKeys(`${link.keys.prefix}:*`))
    await link.commands.call('UNLINK', ...names);
}
