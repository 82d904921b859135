import type { FleetJobs } from './fleet.ts';
import type { JobKey, JobSnapshot } from './snapshots.ts';

/** Records kept beyond those on screen, so that scrolling back shows something at once. */
const KEPT_BEYOND_SCREEN = 400;

/**
 * The job records behind a table of which only some rows are seen. A record is read when its row is seen for the first
 * time and when its key moved to another worker; the others in turn, as far as the budget goes.
 */
export class JobRecords {
  #pool = '';
  #visible: readonly string[] = [];
  #keys: readonly JobKey[] = [];
  #records = new Map<string, JobSnapshot>();
  #sinceMs = new Map<string, number>();
  #turn = 0;

  show(pool: string, visible: readonly string[]): void {
    this.#enter(pool);
    this.#visible = visible;
  }

  /** All keys of the pool were read. Records of keys that are gone are forgotten. */
  read(pool: string, keys: readonly JobKey[]): FleetJobs {
    this.#enter(pool);
    this.#keys = keys;
    const present = new Set(keys.map(job => job.key));
    for (const key of this.#records.keys()) if (!present.has(key)) this.#forget(key);
    return this.#state();
  }

  /** Rows on screen whose record is unknown or surely old. */
  missing(jobs: FleetJobs | null): string[] {
    if (!jobs || jobs.pool !== this.#pool) return [];
    const seen = new Set(this.#visible);
    const workers = new Map<string, string | null>();
    for (const job of jobs.keys) if (seen.has(job.key)) workers.set(job.key, job.worker);
    return this.#visible.filter(key => {
      if (!workers.has(key)) return false;
      const record = this.#records.get(key);
      return !record || (record.worker ?? null) !== workers.get(key);
    });
  }

  /** What to read now for at most `budget` commands, but always what is missing. */
  choose(jobs: FleetJobs, budget: number): string[] {
    const chosen = new Set(this.missing(jobs));
    const room = Math.max(1, Math.min(Math.floor(budget / 2), this.#visible.length)) - chosen.size;
    const moving = this.#visible.filter(key => isMoving(this.#records.get(key)));
    const inTurn = this.#visible.map(
      (_, index) => this.#visible[(index + this.#turn) % this.#visible.length] as string,
    );
    for (const key of [...moving, ...inTurn].filter(key => this.#records.has(key)).slice(0, Math.max(0, room))) {
      chosen.add(key);
    }
    this.#turn += Math.max(0, room);
    return [...chosen];
  }

  note(pool: string, asked: readonly string[], records: readonly JobSnapshot[], nowMs: number): FleetJobs {
    if (pool !== this.#pool) return this.#state();
    const found = new Set(records.map(record => record.key));
    for (const key of asked) if (!found.has(key)) this.#forget(key);
    for (const record of records) {
      const before = this.#records.get(record.key);
      if (before?.state !== record.state || before.token !== record.token) this.#sinceMs.set(record.key, nowMs);
      // Set anew, so that the map's order is the order of reading and the oldest are dropped first.
      this.#records.delete(record.key);
      this.#records.set(record.key, record);
    }
    this.#dropOldest();
    return this.#state();
  }

  #enter(pool: string): void {
    if (pool === this.#pool) return;
    this.#pool = pool;
    this.#visible = [];
    this.#keys = [];
    this.#records.clear();
    this.#sinceMs.clear();
  }

  #forget(key: string): void {
    this.#records.delete(key);
    this.#sinceMs.delete(key);
  }

  #dropOldest(): void {
    const seen = new Set(this.#visible);
    for (const key of this.#records.keys()) {
      if (this.#records.size <= seen.size + KEPT_BEYOND_SCREEN) return;
      if (!seen.has(key)) this.#forget(key);
    }
  }

  #state(): FleetJobs {
    return {
      pool: this.#pool,
      keys: this.#keys,
      records: new Map(this.#records),
      sinceMs: new Map(this.#sinceMs),
    };
  }
}

function isMoving(record: JobSnapshot | undefined): boolean {
  return record?.state === 'ASSIGNED' || record?.state === 'STOPPING';
}
