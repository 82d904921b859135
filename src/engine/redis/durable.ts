/**
 * Calls that are to survive the loss of the master: each is followed by WAIT, which says how many replicas have what was
 * written before it. WAIT counts the writes of its own connection only and blocks it, so these calls have a connection of
 * their own, to the very server that has the key. One round at a time: the calls that come meanwhile go out together in
 * the next one and share its WAIT, so that none ever stands behind the WAIT of another.
 *
 * A connection made anew has no writes to count, and its WAIT would answer at once. So a round whose connection was lost
 * on the way fails as uncertain, and a call must write also when it finds everything done already.
 */
import { backoffMs } from '../core/backoff.ts';
import { type Clock, sleep, within } from '../core/clock.ts';
import { RedisCommandError, RedisUnavailableError } from '../core/errors.ts';
import type { Connection } from './connection.ts';
import { redisErrorWord } from './errors.ts';
import { nodeName, type SlotMap } from './slot-map.ts';
import type { RedisNode } from './url.ts';

export interface Durability {
  /** Replicas that must have it. */
  replicas: number;
  /** Longest wait for them. */
  timeoutMs: number;
}

export interface Replicated<T> {
  result: T;
  /** Replicas that have it. */
  replicas: number;
}

type Call<T> = (connection: Connection) => Promise<T>;

export interface DurableWriterOptions {
  clock: Clock;
  /** In a cluster: which node has a key. */
  slots: SlotMap | undefined;
  /** Opens a connection, to that node of a cluster or to where the link goes. */
  open: (node: RedisNode | undefined) => Promise<Connection>;
  /** How long to follow a key from node to node, and to wait for a connection that was lost. */
  patienceMs: number;
}

const RETRY = { baseMs: 50, maxMs: 500 };

export class DurableWriter {
  readonly #options: DurableWriterOptions;
  readonly #rounds = new Map<string, Promise<Rounds>>();

  constructor(options: DurableWriterOptions) {
    this.#options = options;
  }

  /**
   * Carries out `call`, whose keys are all in the slot of `key`, and counts the replicas that have what it wrote.
   * @throws RedisUnavailableError, with `uncertain` also when nothing is known of the replicas.
   */
  async run<T>(key: string, call: Call<T>, durability: Durability): Promise<Replicated<T>> {
    const { clock, slots, patienceMs } = this.#options;
    const endMs = clock.monotonicMs() + patienceMs;
    for (let attempt = 1; ; attempt++) {
      const node = slots?.ownerOf(key);
      try {
        return await (await this.#roundsAt(node)).run(call, durability);
      } catch (error) {
        if (!slots || !isElsewhere(error)) throw error;
        if (clock.monotonicMs() > endMs) throw asUnavailable(error);
        this.#drop(node);
        await slots.refresh();
        await sleep(clock, backoffMs(attempt, RETRY));
      }
    }
  }

  #roundsAt(node: RedisNode | undefined): Promise<Rounds> {
    const { clock, open, patienceMs } = this.#options;
    const name = node ? nodeName(node) : '';
    let rounds = this.#rounds.get(name);
    if (!rounds) {
      // Of a cluster another node may have the key by the time a connection that was lost would be back.
      rounds = open(node).then(connection => new Rounds(clock, connection, node ? 0 : patienceMs));
      this.#rounds.set(name, rounds);
      rounds.catch(() => this.#rounds.delete(name));
    }
    return rounds;
  }

  /** A node that refused may be gone for good; it is connected to anew when it is needed. */
  #drop(node: RedisNode | undefined): void {
    const name = node ? nodeName(node) : '';
    const opening = this.#rounds.get(name);
    this.#rounds.delete(name);
    opening?.then(rounds => rounds.retire()).catch(() => {});
  }
}

interface Waiting {
  call: Call<unknown>;
  durability: Durability;
  resolve: (replicated: Replicated<unknown>) => void;
  reject: (error: unknown) => void;
}

/** The rounds of one connection. */
class Rounds {
  readonly #clock: Clock;
  readonly #connection: Connection;
  readonly #patienceMs: number;
  #waiting: Waiting[] = [];
  #running = false;
  #retired = false;

  constructor(clock: Clock, connection: Connection, patienceMs: number) {
    this.#clock = clock;
    this.#connection = connection;
    this.#patienceMs = patienceMs;
  }

  run<T>(call: Call<T>, durability: Durability): Promise<Replicated<T>> {
    if (this.#retired) return Promise.reject(new RedisUnavailableError('the connection to the node was given up'));
    return new Promise<Replicated<T>>((resolve, reject) => {
      this.#waiting.push({ call, durability, resolve: resolve as Waiting['resolve'], reject });
      // The other calls of this tick join.
      if (!this.#running) queueMicrotask(() => this.#run());
      this.#running = true;
    });
  }

  /** Closes the connection once nobody waits. */
  async retire(): Promise<void> {
    this.#retired = true;
    if (!this.#running) await this.#connection.close();
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) await this.#round(this.#waiting.splice(0));
    this.#running = false;
    if (this.#retired) await this.#connection.close();
  }

  /** Never rejects. */
  async #round(calls: readonly Waiting[]): Promise<void> {
    const connection = this.#connection;
    if (!connection.ready) await within(this.#clock, this.#patienceMs, connection.whenReady(), () => {});
    const { session } = connection;
    const results = await Promise.allSettled(calls.map(({ call }) => call(connection)));
    const written = calls.filter((_, index) => results[index]?.status === 'fulfilled');
    const counting = written.length > 0 ? this.#count(written, session) : Promise.resolve(0);
    const counted = await counting.then(
      replicas => ({ replicas }),
      (error: unknown) => ({ error }),
    );
    for (const [index, { resolve, reject }] of calls.entries()) {
      const result = results[index] as PromiseSettledResult<unknown>;
      if (result.status === 'rejected') reject(result.reason);
      else if ('error' in counted) reject(counted.error);
      else resolve({ result: result.value, replicas: counted.replicas });
    }
  }

  async #count(written: readonly Waiting[], session: number): Promise<number> {
    const connection = this.#connection;
    const replicas = Math.max(...written.map(({ durability }) => durability.replicas));
    const timeoutMs = Math.ceil(Math.max(...written.map(({ durability }) => durability.timeoutMs)));
    try {
      // Checked in the step that writes WAIT: on a newer connection it would count nothing.
      if (connection.session === session && connection.ready) {
        return Number(await connection.callBlocking(timeoutMs, 'WAIT', replicas, timeoutMs));
      }
    } catch (error) {
      // A master that became a replica refuses to wait, as a command error.
      if (!(error instanceof RedisUnavailableError || error instanceof RedisCommandError)) throw error;
    }
    throw new RedisUnavailableError('the server was lost before its replicas could be counted', { uncertain: true });
  }
}

/** The node is not, or not yet, the one to ask; nothing was carried out. */
function isElsewhere(error: unknown): boolean {
  const word = redisErrorWord(error);
  return word === 'MOVED' || word === 'ASK' || (error instanceof RedisUnavailableError && !error.uncertain);
}

function asUnavailable(error: unknown): unknown {
  if (error instanceof RedisUnavailableError) return error;
  return new RedisUnavailableError('the slot of the key moves to another node', { cause: error });
}
