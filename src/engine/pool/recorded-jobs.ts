/**
 * Keeps what runs in a worker equal to what is recorded to it: begins what hints say, and when some are missing, reads
 * everything recorded once and claims what does not run. A claim gives a job a new token, so a hint that says the same
 * of the job later, or while the claim is under way, must not begin it under the old one.
 */
import { decodeText } from '../core/text.ts';
import type { Argument } from '../redis/script.ts';
import { jobKeyBytes } from './job-key.ts';
import type { Assignment } from './job-run.ts';
import { assignmentOf, type JobTable } from './job-table.ts';
import { MailboxCursor } from './mailbox.ts';
import { type MailboxMessage, parseMailbox } from './messages.ts';
import type { Shard } from './shard.ts';

export interface RecordedJobsOptions {
  shard: Shard;
  worker: string;
  incarnation: () => string;
  table: JobTable;
  /** Something may be missing: compare with Redis now. */
  onDoubt: () => void;
  onDrain: () => void;
  /** A job that runs here belongs to another worker group now. */
  onRegroup: () => void;
  /** Redis says that the lease is over. */
  onExpired: () => void;
}

const CLAIM_AT_ONCE = 100;

export class RecordedJobs {
  readonly #options: RecordedJobsOptions;
  readonly #cursor = new MailboxCursor();
  /** Keys whose claim is under way, and what a hint said of them meanwhile. */
  readonly #claiming = new Map<string, Assignment | undefined>();

  constructor(options: RecordedJobsOptions) {
    this.#options = options;
  }

  /** A new incarnation begins; Redis has counted `sequence` hints so far. */
  restart(sequence: number): void {
    this.#cursor.restart(sequence);
  }

  /** What is recorded must be read again, whatever hints say. */
  doubt(): void {
    this.#cursor.syncFailed();
    this.#options.onDoubt();
  }

  receive(message: Buffer): void {
    for (const hint of parseMailbox(message)) {
      if (hint) this.#take(hint);
      else this.#options.onDoubt();
    }
  }

  #take(hint: MailboxMessage): void {
    const { table, onDoubt, onDrain, onRegroup } = this.#options;
    const { key, token } = subjectOf(hint);
    const accepted = this.#cursor.accept(hint.sequence, key, token);
    if (this.#cursor.missed) onDoubt();
    if (!accepted) return;
    switch (hint.kind) {
      case 'assign':
        if (this.#claiming.has(hint.key)) this.#claiming.set(hint.key, hint);
        else table.begin(hint);
        break;
      case 'stop':
        table.stop(hint.key, 'stop', hint.token);
        break;
      case 'note':
        table.note(hint.key);
        break;
      case 'regroup':
        // It may be here a moment later: the reply that gives it comes another way than hints do.
        if (table.regroup(hint.key, hint.token, hint.group)) onRegroup();
        else this.doubt();
        break;
      case 'fetch':
        this.doubt();
        break;
      case 'drain':
        onDrain();
    }
  }

  /**
   * Redis has counted `sequence` hints: reads everything if some are missing, but not in quarantine, when nothing can be
   * claimed. True when some may still be under way, to be looked at again soon.
   */
  async compare(sequence: number, nowMs: number): Promise<boolean> {
    const underWay = this.#cursor.compare(sequence, nowMs);
    if (this.#options.shard.quarantineMs > 0) return false;
    if (this.#cursor.missed) await this.#synchronise(sequence);
    return underWay;
  }

  async #synchronise(sequence: number): Promise<void> {
    const { shard, worker, table } = this.#options;
    this.#cursor.syncBegins(sequence);
    try {
      // Those that run here and are not recorded show as gone when they are claimed.
      const keys = new Set([...table.runs()].map(run => run.key));
      for (let cursor = '0'; ; ) {
        const page = await shard.scanOwned(worker, cursor);
        for (const key of page.keys) keys.add(decodeText(key));
        cursor = page.next;
        if (cursor === '0') break;
      }
      const all = [...keys];
      for (let at = 0; at < all.length; at += CLAIM_AT_ONCE) await this.#claim(all.slice(at, at + CLAIM_AT_ONCE));
    } catch (error) {
      this.#cursor.syncFailed();
      throw error;
    }
  }

  async #claim(keys: string[]): Promise<void> {
    // The reply is bounded in bytes: what it leaves out is asked for in another one.
    for (let rest = keys; rest.length > 0; ) {
      const answered = await this.#claimSome(rest);
      if (answered === 0) return;
      rest = rest.slice(answered);
    }
  }

  async #claimSome(keys: string[]): Promise<number> {
    const { shard, worker, incarnation, table, onExpired } = this.#options;
    const pairs: Argument[] = [];
    for (const key of keys) {
      const token = table.get(key)?.token;
      if (token === undefined) this.#claiming.set(key, undefined);
      pairs.push(jobKeyBytes(key), token ?? '');
    }
    try {
      const reply = await shard.claim(worker, incarnation(), pairs);
      if (reply.status === 'EXPIRED') {
        onExpired();
        return 0;
      }
      if (reply.status === 'QUARANTINE') {
        this.doubt();
        return 0;
      }
      const rows = reply.jobs as [Buffer, Buffer, ...unknown[]][];
      for (const [state, ...row] of rows) this.#adopt(String(state), row, reply.mail);
      return rows.length;
    } finally {
      const heard = [...this.#claiming.values()];
      this.#claiming.clear();
      for (const hint of heard) if (hint && this.#cursor.isNewer(hint.key, hint.token)) table.begin(hint);
    }
  }

  #adopt(state: string, row: [Buffer, ...unknown[]], sequence: number): void {
    const { table, onRegroup } = this.#options;
    const key = decodeText(row[0]);
    switch (state) {
      case 'claimed': {
        const assignment = assignmentOf(row);
        this.#cursor.claimed(key, assignment.token, sequence);
        table.begin(assignment);
        break;
      }
      case 'kept': {
        if (Number(row[1]) > 0) table.note(key);
        const run = table.get(key);
        const group = String(row[2]);
        if (run && run.group !== group && table.regroup(key, run.token, group)) onRegroup();
        break;
      }
      case 'stopping':
        table.stop(key, 'stop');
        break;
      case 'stale':
        // What ran under the older token may have been recorded and forgotten since the question was sent.
        if (!table.get(key)) this.doubt();
        table.stop(key, 'lost');
        break;
      case 'gone':
        table.stop(key, 'lost');
    }
  }
}

function subjectOf(hint: MailboxMessage): { key: string | undefined; token: number | undefined } {
  return 'key' in hint ? hint : { key: undefined, token: undefined };
}
