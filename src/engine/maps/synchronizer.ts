/**
 * Keeps a `Replica` in step with Redis: feeds it messages, reads what it asks for, and looks for what no message told.
 *
 * A snapshot is read after every subscribe reply, never before it, or what happened in between is lost. While subscribed, one
 * loop at a time reads snapshots until the replica is live. A poll compares revision and number of entries; it finds the last
 * message lost and the socket that keeps silence. A run that does not become whole in time is given up for a snapshot.
 * When Redis lost the map and the replica keeps it, the copy is written back before the next snapshot (reassertion.ts).
 * At the deadline of an expiring map the script that empties it is run; whoever comes first makes the change for all.
 */
import { backoffMs } from '../core/backoff.ts';
import { sleep, type Timer, within } from '../core/clock.ts';
import {
  describeError,
  InvariantError,
  PonosError,
  RedisUnavailableError,
  TimeoutError,
  UnsafeServerError,
} from '../core/errors.ts';
import { newId } from '../core/ids.ts';
import { PeriodicTask } from '../core/periodic.ts';
import type { RedisLink } from '../redis/link.ts';
import type { Subscription } from '../redis/subscriptions.ts';
import { parseMessage } from './message.ts';
import { type MapKeys, type MapStatus, readSnapshot, readStatus, readValues } from './reading.ts';
import { BID_MS, reassert } from './reassertion.ts';
import { Replica, type ReplicaOutcome, type ResyncReason } from './replica.ts';
import { expireScript } from './scripts.gen.ts';

export interface SyncListener {
  outcome(outcome: ReplicaOutcome): void;
  /** The copy is the map as of now. */
  synced(): void;
  /** The copy may be behind, because of `cause`. */
  stale(cause: PonosError): void;
}

const RESYNC = { baseMs: 20, maxMs: 2000 };
/** Failed snapshots in a row after which the copy counts as stale. */
const STALE_ATTEMPTS = 3;
/** How long a run may wait for messages. */
const SETTLE_LIMIT_MS = 1000;
const POLL_LIMIT_MS = 5000;
const POLL_JITTER = 0.1;
/** How long a poll that shows a newer revision waits for the message of it. */
const LONGEST_GRACE_MS = 500;
/** Past the deadline by a little, so that Redis's clock is past it too. */
const EXPIRY_SLACK_MS = 2;
const LONGEST_TIMER_MS = 3_600_000;

export class Synchronizer {
  /** Under which this replica writes back what Redis lost. */
  readonly id = newId();
  readonly replica: Replica;
  readonly #name: string;
  readonly #link: RedisLink;
  readonly #keys: MapKeys;
  readonly #listener: SyncListener;
  readonly #poll: PeriodicTask;
  readonly #graceMs: number;
  readonly #closing = new AbortController();
  readonly #background = new Set<Promise<void>>();
  #subscription: Subscription | undefined;
  #subscribed = false;
  #synced = false;
  #confirmedAtMs: number;
  #resyncing: Promise<void> | undefined;
  #resyncAgain = false;
  #attempts = 0;
  #lossSeen = false;
  #watchdog: Timer | undefined;
  #expiry: { timer: Timer; atMs: number } | undefined;
  /** The last deadline acted on: Redis's record may show it for a while. */
  #expiredMs = 0;
  /** Redis's wall clock minus the local monotonic one. */
  #redisOffsetMs: number;

  constructor(
    link: RedisLink,
    name: string,
    { pollIntervalMs, reasserts }: { pollIntervalMs: number; reasserts: boolean },
    listener: SyncListener,
  ) {
    this.#link = link;
    this.#name = name;
    this.#keys = link.keys.map(name);
    this.replica = new Replica({ keepsLost: reasserts && link.access === 'read-write' });
    this.#listener = listener;
    this.#graceMs = Math.min(LONGEST_GRACE_MS, pollIntervalMs / 10);
    this.#confirmedAtMs = link.clock.monotonicMs();
    this.#redisOffsetMs = link.clock.wallMs() - link.clock.monotonicMs();
    this.#poll = new PeriodicTask(
      link.clock,
      // The latest poll and the grace after it are over when the time is.
      { intervalMs: (pollIntervalMs - this.#graceMs) / (1 + POLL_JITTER), jitter: POLL_JITTER },
      () => this.#compare(),
      error => this.#stale(error),
    );
  }

  /** Subscribed, and the copy was last seen to be the map's present state. */
  get synced(): boolean {
    return this.#synced;
  }

  /** Local monotonic time at which the copy was last known to be the present state. */
  get confirmedAtMs(): number {
    return this.#confirmedAtMs;
  }

  /** Subscribes; the first snapshot follows in the background. */
  async start(): Promise<void> {
    const subscription = await this.#link.subscriptions.subscribe(this.#keys.changes, {
      message: payload => this.#message(payload),
      ready: () => this.#ready(),
      lost: () => this.#lost(),
    });
    if (this.#closing.signal.aborted) return subscription.close();
    this.#subscription = subscription;
    this.#poll.start();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#subscribed = false;
    this.#synced = false;
    this.#watchdog?.cancel();
    this.#expiry?.timer.cancel();
    await this.#poll.stop();
    await this.#subscription?.close();
    await this.#resyncing;
    await Promise.all(this.#background);
  }

  #message(payload: Buffer): void {
    if (!this.#subscribed) return;
    // What is no message changed no map; a newer version's message shows as a gap.
    const message = parseMessage(payload);
    if (message) this.#absorb(this.replica.message(message));
  }

  #ready(): void {
    this.#subscribed = true;
    this.#resync('subscribed');
  }

  #lost(): void {
    this.#subscribed = false;
    this.replica.disconnected();
    this.#watchdog?.cancel();
    this.#watchdog = undefined;
    this.#stale(new RedisUnavailableError(`Redis at ${this.#link.address} closed the connection`));
  }

  #absorb(outcome: ReplicaOutcome): void {
    const { request } = outcome;
    this.#listener.outcome(outcome);
    if (this.replica.live) this.#confirm();
    else this.#watch();
    if (request?.kind === 'fetch') this.#track(this.#fetch(request.ticket, request.keys));
    else if (request?.kind === 'reassert') {
      this.#lossSeen = true;
      this.#stale(new UnsafeServerError('STATE_LOST', `Redis lost map "${this.#name}"; its last copy is written back`));
      this.#resync('lost');
    } else if (request) this.#resync(request.reason);
    const { expiresAtMs } = this.replica;
    if (expiresAtMs > this.#expiredMs && (!this.#expiry || expiresAtMs < this.#expiry.atMs))
      this.#armExpiry(expiresAtMs);
  }

  #confirm(): void {
    this.#confirmedAtMs = this.#link.clock.monotonicMs();
    this.#attempts = 0;
    if (this.#synced || !this.#subscribed) return;
    this.#synced = true;
    this.#listener.synced();
  }

  #stale(error: unknown): void {
    if (this.#closing.signal.aborted) return;
    const cause = error instanceof PonosError ? error : new InvariantError(describeError(error), { cause: error });
    this.#synced = false;
    this.#listener.stale(cause);
  }

  /** Nothing may wait for ever for a message that was lost. A fetch ends by itself, and the next may follow at once. */
  #watch(): void {
    if (this.#resyncing || this.#watchdog) return;
    const { revision } = this.replica;
    this.#watchdog = this.#link.clock.after(SETTLE_LIMIT_MS, () => {
      this.#watchdog = undefined;
      if (this.replica.live) return;
      if (this.replica.fetching || this.replica.revision !== revision) this.#watch();
      else this.#resync('settle');
    });
  }

  #resync(_reason: ResyncReason): void {
    if (!this.#subscribed || this.#closing.signal.aborted) return;
    this.#resyncAgain = true;
    if (this.#resyncing) return;
    this.#resyncing = this.#resyncLoop().finally(() => {
      this.#resyncing = undefined;
      if (!this.replica.live && this.#subscribed) this.#watch();
    });
  }

  async #resyncLoop(): Promise<void> {
    while (this.#resyncAgain && this.#subscribed && !this.#closing.signal.aborted) {
      if (this.#attempts > 0) await sleep(this.#link.clock, backoffMs(this.#attempts, RESYNC), this.#closing.signal);
      if (!this.#subscribed || this.#closing.signal.aborted) return;
      this.#attempts++;
      this.#resyncAgain = false;
      this.replica.startScan();
      try {
        if (this.#lossSeen) await this.#reassert();
        const { snapshot, redisMs } = await readSnapshot(this.#link, this.#keys);
        this.#noteRedisTime(redisMs);
        if (this.#subscribed) this.#absorb(this.replica.snapshot(snapshot));
        if (!this.replica.live && this.#attempts >= STALE_ATTEMPTS) this.#stale(this.#unsettled());
      } catch (error) {
        this.#resyncAgain = true;
        this.#stale(error);
      }
    }
  }

  async #reassert(): Promise<void> {
    this.#lossSeen = false;
    const { generation, revision, expiresAtMs, entries } = this.replica;
    const copy = { name: this.#name, generation, revision, expiresAtMs, entries };
    const result = await reassert(this.#link, copy, this.id, this.#closing.signal);
    // Another leads, or the next snapshot shows what was decided.
    if (result === 'beaten') await sleep(this.#link.clock, BID_MS, this.#closing.signal);
    else this.#attempts = 1;
    if (result === 'settled') this.replica.forgo();
  }

  #unsettled(): TimeoutError {
    return new TimeoutError(`no snapshot of ${this.#keys.base} fitted its messages in ${this.#attempts} attempts`);
  }

  async #fetch(ticket: number, names: readonly string[]): Promise<void> {
    try {
      const fetched = await readValues(this.#link, this.#keys, names);
      if (!this.#subscribed) return;
      this.#absorb(this.replica.fetched(ticket, fetched));
      // Where big values are written all the time, one fetch follows the other and it is never live.
      if (this.replica.following) this.#confirm();
    } catch {
      // The snapshot that follows says what is wrong.
      this.#resync('error');
    }
  }

  async #compare(): Promise<void> {
    if (!this.#subscribed || !this.replica.live) return;
    const { clock, commands, address } = this.#link;
    const sentAt = this.replica.revision;
    const status = await within(clock, POLL_LIMIT_MS, readStatus(this.#link, this.#keys), () => {
      commands.dropSilent();
      throw new RedisUnavailableError(`no reply from Redis at ${address}`);
    });
    this.#noteRedisTime(status.redisMs);
    if (!this.#subscribed || !this.replica.live) return;
    if (this.#agrees(status)) return this.#confirm();
    // The message may be on its way. What was there before this poll was sent, and is not in Redis, never comes.
    if (status.generation === this.replica.generation && status.revision >= sentAt) {
      await sleep(clock, this.#graceMs, this.#closing.signal);
      if (!this.replica.live || this.#agrees(status) || this.replica.revision > status.revision) return;
    }
    this.#resync('poll');
  }

  #agrees(status: MapStatus): boolean {
    const { generation, revision, entries } = this.replica;
    if (status.generation !== generation || status.revision !== revision) return false;
    return generation === '' || status.count === entries.size;
  }

  #noteRedisTime(redisMs: number): void {
    this.#redisOffsetMs = redisMs - this.#link.clock.monotonicMs();
  }

  #armExpiry(atMs: number): void {
    this.#expiry?.timer.cancel();
    const leftMs = atMs - this.#redisOffsetMs - this.#link.clock.monotonicMs() + EXPIRY_SLACK_MS;
    const delayMs = Math.min(LONGEST_TIMER_MS, Math.max(0, leftMs));
    const timer = this.#link.clock.after(delayMs, () => {
      this.#expiry = undefined;
      const due = this.replica.expiresAtMs;
      if (due === 0 || this.#closing.signal.aborted) return;
      // Writes may have moved it meanwhile; the timer is not moved with each of them.
      if (due > atMs || delayMs === LONGEST_TIMER_MS) this.#armExpiry(due);
      else this.#track(this.#expire(due));
    });
    this.#expiry = { timer, atMs };
  }

  async #expire(dueMs: number): Promise<void> {
    const { commands, access } = this.#link;
    const { data, meta, changes } = this.#keys;
    this.#expiredMs = dueMs;
    try {
      if (access === 'read-write') {
        const reply = await commands.run(expireScript, { data, meta }, { changes });
        // Not yet, says the clock that counts; a deadline of 0 means somebody else was faster.
        if (reply.status === 'LATER' && reply.expiresAtMs > 0) {
          this.#expiredMs = 0;
          return this.#armExpiry(reply.expiresAtMs);
        }
      }
      // The message does the rest. Should it be lost, or nobody here may write: Redis hides the entries from a snapshot.
      if (this.replica.expiresAtMs === dueMs) this.#resync('expired');
    } catch {
      if (this.replica.expiresAtMs !== dueMs || this.#closing.signal.aborted) return;
      this.#absorb(this.replica.expireAlone());
      this.#resync('expired');
    }
  }

  #track(work: Promise<void>): void {
    this.#background.add(work);
    // The work handles its own failures.
    work.finally(() => this.#background.delete(work)).catch(() => {});
  }
}
