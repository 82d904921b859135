/**
 * Writes that are done at most once however often they are sent, and are sent again when their reply was lost or nobody could
 * take them: a server that follows another by now, a slot on its way, no connection.
 *
 * Each write gets a lane, free again when it ended, and a number that only grows. The script keeps the last result of a lane,
 * so a repeated write returns its first result, and a late copy of one given up is refused (lua/_operation.lua).
 */
import { backoffMs } from '../core/backoff.ts';
import { sleep, within } from '../core/clock.ts';
import { ClosedError, RedisUnavailableError } from '../core/errors.ts';
import { newId } from '../core/ids.ts';
import type { RedisLink } from '../redis/link.ts';

/** What the scripts keep results under. */
export interface Operation {
  lane: string;
  /** Of fixed width: the scripts compare it as text. */
  sequence: string;
}

const SEQUENCE_WIDTH = 12;
const RETRY = { baseMs: 20, maxMs: 1000 };
/** A socket that was just dropped for silence gets this long before it may be dropped again. */
const RECONNECT_EVERY_MS = 3000;

export class Operations {
  readonly #link: RedisLink;
  readonly #retryMs: number;
  readonly #client = newId();
  readonly #freeLanes: number[] = [];
  readonly #closing = new AbortController();
  #activeCount = 0;
  #onIdle: (() => void) | undefined;
  #ready: Promise<void> | undefined;
  #laneCount = 0;
  #sequence = 0;
  #reconnectedAtMs = Number.NEGATIVE_INFINITY;

  constructor(link: RedisLink, retryMs: number) {
    this.#link = link;
    this.#retryMs = retryMs;
  }

  /**
   * Runs one write. While it was refused, or its outcome is open, it is sent again, until it has a reply or time is up.
   * @throws RedisUnavailableError, with `uncertain` when it may have been done or not; whatever `send` throws otherwise.
   */
  async run<R>(what: string, send: (operation: Operation) => Promise<R>): Promise<R> {
    if (this.#closing.signal.aborted) throw new ClosedError(what);
    const { clock } = this.#link;
    const lane = this.#freeLanes.pop() ?? this.#laneCount++;
    const operation: Operation = {
      lane: `${this.#client}.${lane}`,
      sequence: String(++this.#sequence).padStart(SEQUENCE_WIDTH, '0'),
    };
    const startMs = clock.monotonicMs();
    let uncertain = false;
    this.#activeCount++;
    try {
      for (let attempt = 1; ; attempt++) {
        try {
          return await send(operation);
        } catch (error) {
          if (!(error instanceof RedisUnavailableError)) throw error;
          uncertain ||= error.uncertain;
          const leftMs = startMs + this.#retryMs - clock.monotonicMs();
          if (leftMs <= 0 || this.#closing.signal.aborted)
            throw uncertain ? unanswered(what, error) : refused(what, error);
          if (error.uncertain) this.#dropSilentSocket();
          await this.#untilReady(Math.min(leftMs, backoffMs(attempt, RETRY)), leftMs);
        }
      }
    } finally {
      this.#freeLanes.push(lane);
      if (--this.#activeCount === 0) this.#onIdle?.();
    }
  }

  /** Refuses new writes, ends repetitions, and waits for the writes under way. */
  async close(): Promise<void> {
    this.#closing.abort();
    if (this.#activeCount === 0) return;
    await new Promise<void>(resolve => {
      const earlier = this.#onIdle;
      this.#onIdle = () => {
        earlier?.();
        resolve();
      };
    });
  }

  async #untilReady(pauseMs: number, limitMs: number): Promise<void> {
    await sleep(this.#link.clock, pauseMs, this.#closing.signal);
    // One wait for all: a thousand writes under way are not a thousand listeners.
    this.#ready ??= this.#link.commands.whenReady(this.#closing.signal).finally(() => {
      this.#ready = undefined;
    });
    await within(this.#link.clock, limitMs, this.#ready, () => undefined);
  }

  /** No reply although the socket looks alive: its other end may be gone, and only a new socket will tell. */
  #dropSilentSocket(): void {
    const nowMs = this.#link.clock.monotonicMs();
    if (!this.#link.commands.ready || nowMs - this.#reconnectedAtMs < RECONNECT_EVERY_MS) return;
    this.#reconnectedAtMs = nowMs;
    this.#link.commands.dropSilent();
  }
}

function refused(what: string, cause: RedisUnavailableError): RedisUnavailableError {
  return new RedisUnavailableError(`${what}: not done (${cause.message})`, { cause, hint: cause.hint ?? '' });
}

function unanswered(what: string, cause: RedisUnavailableError): RedisUnavailableError {
  return new RedisUnavailableError(`${what}: no reply, it may have been done or not (${cause.message})`, {
    uncertain: true,
    cause,
    hint: 'Read the entry to see; writing the same value again does no harm.',
  });
}
