/**
 * Waits for what becomes of jobs. Redis tells the node that asked, on a channel of its own; a message may be lost, so
 * what is waited for longer than a moment is also looked up: the outcome is kept under the id of the dispatch.
 */
import type { Clock, Timer } from '../core/clock.ts';
import { ClosedError, TimeoutError } from '../core/errors.ts';
import { PeriodicTask } from '../core/periodic.ts';
import type { KeyBytes } from '../redis/keys.ts';
import type { RedisLink } from '../redis/link.ts';
import type { Subscription } from '../redis/subscriptions.ts';
import { parseReplies, type ReplyMessage } from './messages.ts';
import type { Shard } from './shard.ts';

export interface Outcome {
  kind: ReplyMessage['kind'];
  worker: string;
  token: number;
  body: Buffer;
}

export interface WaitRequest {
  /** Of the dispatch or of the stop request. */
  id: string;
  key: KeyBytes;
  shard: Shard;
  until: 'started' | 'ended';
  timeoutMs: number;
  /** What is waited for, as the message of a time-out says it. */
  what: string;
}

interface Waiter extends WaitRequest {
  sinceMs: number;
  timer: Timer;
  resolve: (outcome: Outcome) => void;
  reject: (error: unknown) => void;
}

const ignore = () => {};
const LOOK_EVERY_MS = 1000;
/** Bounds one round of looking. */
const MAX_LOOKS = 500;

export class Outcomes {
  /** Names the channel of the replies. */
  readonly node: string;
  readonly #link: RedisLink;
  readonly #clock: Clock;
  readonly #waiters = new Map<string, Waiter>();
  readonly #looking: PeriodicTask;
  readonly #subscriptions = new Map<Shard, Promise<Subscription>>();
  readonly #listening = new Set<Shard>();

  constructor(link: RedisLink, node: string, onError: (error: unknown) => void) {
    this.node = node;
    this.#link = link;
    this.#clock = link.clock;
    this.#looking = new PeriodicTask(
      this.#clock,
      { intervalMs: LOOK_EVERY_MS, jitter: 0.1 },
      () => this.#look(),
      onError,
    );
  }

  listensTo(shard: Shard): boolean {
    return this.#listening.has(shard);
  }

  /** Must have resolved before the request is sent whose outcome is waited for, unless it listens already. */
  async listen(shard: Shard): Promise<void> {
    let subscription = this.#subscriptions.get(shard);
    if (!subscription) {
      subscription = this.#link.subscriptions.subscribe(shard.channels.replies(this.node), {
        message: message => this.#receive(message),
        ready: () => this.#looking.poke(),
      });
      this.#subscriptions.set(shard, subscription);
      subscription.catch(() => this.#subscriptions.delete(shard));
    }
    await subscription;
    this.#listening.add(shard);
  }

  /** @throws TimeoutError after `timeoutMs`; ClosedError when closed meanwhile. */
  wait(request: WaitRequest): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(request.timeoutMs, () => {
        this.cancel(request.id);
        reject(new TimeoutError(`${request.what} took longer than ${request.timeoutMs} ms; the request stands`));
      });
      this.#waiters.set(request.id, { ...request, sinceMs: this.#clock.monotonicMs(), timer, resolve, reject });
      this.#looking.start();
    });
  }

  /** Looks the outcome up now: it may have been told before anybody waited. */
  async check(id: string): Promise<void> {
    const waiter = this.#waiters.get(id);
    if (waiter) await this.#lookAt(waiter);
  }

  /** Gives up waiting; the promise stays unsettled. */
  cancel(id: string): void {
    const waiter = this.#waiters.get(id);
    if (!waiter) return;
    waiter.timer.cancel();
    this.#waiters.delete(id);
    // A map that comes and goes is laid out anew time and again. The layout of before is garbage that holds all it held, and
    // is collected late: what hangs on a promise must not wait for that.
    waiter.resolve = ignore;
    waiter.reject = ignore;
  }

  async close(): Promise<void> {
    for (const waiter of this.#waiters.values()) {
      waiter.timer.cancel();
      waiter.reject(new ClosedError('pool client'));
    }
    this.#waiters.clear();
    await this.#looking.stop();
    const subscriptions = await Promise.allSettled(this.#subscriptions.values());
    for (const result of subscriptions) if (result.status === 'fulfilled') await result.value.close();
  }

  #receive(message: Buffer): void {
    for (const reply of parseReplies(message)) this.#tell(reply.id, reply);
  }

  #tell(id: string, outcome: Outcome): void {
    const waiter = this.#waiters.get(id);
    if (!waiter || (outcome.kind === 'started' && waiter.until === 'ended')) return;
    const { resolve } = waiter;
    this.cancel(id);
    resolve(outcome);
  }

  async #look(): Promise<void> {
    if (this.#waiters.size === 0) return;
    const oldMs = this.#clock.monotonicMs() - LOOK_EVERY_MS / 2;
    const old = [...this.#waiters.values()].filter(waiter => waiter.sinceMs <= oldMs).slice(0, MAX_LOOKS);
    await Promise.all(old.map(waiter => this.#lookAt(waiter)));
  }

  async #lookAt(waiter: Waiter): Promise<void> {
    const { id, key, shard } = waiter;
    const fields = await shard.readRecord(id, 'outcome', 'worker', 'token', 'result');
    const outcome = fields[0] === null ? '' : String(fields[0]);
    if (outcome === 'completed' || outcome === 'stopped' || outcome === 'dead') {
      const [, worker, token, body] = fields;
      this.#tell(id, {
        kind: outcome,
        worker: String(worker ?? ''),
        token: Number(String(token ?? 0)),
        body: body ?? Buffer.alloc(0),
      });
      return;
    }
    const [state, dispatch, worker, token] = await shard.readJob(key, 'state', 'dispatch', 'worker', 'token');
    if (outcome === 'stopping' && state === null) {
      // The stop request outlives the job it was for.
      this.#tell(id, { kind: 'stopped', worker: '', token: 0, body: Buffer.alloc(0) });
    } else if (String(dispatch) === id && String(state) === 'running') {
      this.#tell(id, {
        kind: 'started',
        worker: String(worker ?? ''),
        token: Number(String(token ?? 0)),
        body: Buffer.alloc(0),
      });
    }
  }
}
