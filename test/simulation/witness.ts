/**
 * Sees every job begin and end in every process, and says what must never be: two of a key at work while both are owned,
 * one begun before another has ended though its process was awake, a token that goes back, a job that was over and runs
 * again, a notification left out.
 */

import { sleep } from '../../src/engine/core/clock.ts';
import type { Job, JobHandler, StopReason, WorkerLease } from '../../src/engine/pool/handler.ts';
import type { LeaseTerms } from '../../src/engine/pool/options.ts';
import type { Agenda } from './agenda.ts';
import type { SimulatedProcess } from './process.ts';

/** A job in the hands of a handler. */
export interface Life {
  process: SimulatedProcess;
  worker: string;
  lease: WorkerLease | undefined;
  job: Job;
  /** Of the dispatch: what the payload says. */
  id: string;
  noted: number[];
}

export interface Habits {
  kind: 'service' | 'task';
  startMs(): number;
  stopMs(): number;
  noteMs(): number;
  runMs(): number;
  /** The attempt breaks. */
  fails(): boolean;
  /** `stop` resolves before the job has ended, as it must not. */
  stopsLate: boolean;
}

export class Witness {
  readonly violations: string[] = [];
  readonly alive = new Set<Life>();
  /** Ids begun, whose record must not say that they are over already. */
  readonly begun: string[] = [];
  /** Ids a handler has finished. */
  readonly finished = new Set<string>();
  startCount = 0;
  /** When Redis lost something the last time: what was sent before may be lost with it, or come again. */
  lostAtMs = Number.NEGATIVE_INFINITY;
  readonly #tokens = new Map<string, number>();
  readonly #agenda: Agenda;
  readonly #terms: LeaseTerms;
  readonly #note: (line: string) => void;
  /** Keys with more than one at work, excused when it began. */
  readonly #contested = new Set<string>();
  /** Numbers of the notifications that somebody was told, by id. */
  readonly #noted = new Map<string, Set<number>>();
  /** When each was sent, by id. */
  readonly #notesSent = new Map<string, number[]>();

  constructor(agenda: Agenda, terms: LeaseTerms, note: (line: string) => void) {
    this.#agenda = agenda;
    this.#terms = terms;
    this.#note = note;
  }

  complain(what: string): void {
    this.violations.push(what);
    this.#note(`VIOLATION ${what}`);
  }

  handler(process: SimulatedProcess, worker: string, habits: Habits): JobHandler {
    let lease: WorkerLease | undefined;
    const lives = new Map<Job, Life>();
    const { clock } = process;
    const begin = (job: Job) => {
      const life: Life = { process, worker, lease, job, id: job.payload.toString(), noted: [] };
      lives.set(job, life);
      this.#begin(life);
      return life;
    };
    const end = (job: Job, how: string) => {
      const life = lives.get(job);
      lives.delete(job);
      if (life) this.#end(life, how);
    };
    const hooks = {
      attach: (given: WorkerLease) => {
        lease = given;
      },
      notify: async (job: Job, payload: Buffer) => {
        const life = lives.get(job);
        const [id, number] = payload.toString().split(' ');
        // Sent again after a lost reply it may reach the next job of the key.
        if (life?.id === id) this.#heard(life as Life, Number(number));
        const noteMs = habits.noteMs();
        if (noteMs > 0) await sleep(clock, noteMs);
      },
    };
    if (habits.kind === 'task') {
      return {
        ...hooks,
        run: async (job, signal) => {
          const life = begin(job);
          try {
            await sleep(clock, habits.runMs(), signal);
            if (signal.aborted) {
              await sleep(clock, habits.stopMs());
              return;
            }
            if (habits.fails()) throw new Error('broke');
            this.finished.add(life.id);
            return 'done';
          } finally {
            end(job, 'over');
          }
        },
      };
    }
    return {
      ...hooks,
      start: async job => {
        begin(job);
        const startMs = habits.startMs();
        if (startMs > 0) await sleep(clock, startMs);
        if (habits.fails()) {
          end(job, 'did not start');
          throw new Error('broke');
        }
      },
      stop: async (job: Job, reason: StopReason) => {
        const stopMs = habits.stopMs();
        if (habits.stopsLate) {
          sleep(clock, stopMs).then(
            () => end(job, reason),
            () => {},
          );
          return;
        }
        if (stopMs > 0) await sleep(clock, stopMs);
        end(job, reason);
      },
    };
  }

  /** A service ends by itself. */
  finish(life: Life, how: 'complete' | 'fail'): void {
    this.#end(life, how);
    if (how === 'complete') {
      this.finished.add(life.id);
      life.job.complete();
    } else life.job.fail(new Error('broke'));
  }

  /** Its jobs end with a process. */
  crashed(process: SimulatedProcess): void {
    for (const life of this.alive) if (life.process === process) this.alive.delete(life);
  }

  at(key: string): Life[] {
    return [...this.alive].filter(life => life.job.key === key);
  }

  /** The notification of that number is sent; those before it were accepted. */
  sendsNote(id: string, number: number): void {
    const sent = this.#notesSent.get(id) ?? [];
    this.#notesSent.set(id, sent);
    sent[number] = this.#agenda.nowMs;
  }

  /** Of the first so many, those that nobody was told and that Redis has not lost. */
  unheard(id: string, count: number): number[] {
    const heard = this.#noted.get(id);
    const sent = this.#notesSent.get(id) ?? [];
    return Array.from({ length: count }, (_, at) => at + 1).filter(
      number => !heard?.has(number) && (sent[number] ?? 0) > this.lostAtMs,
    );
  }

  /** Called whenever something has happened. */
  check(): void {
    for (const key of this.#contested) {
      const believers = this.at(key).filter(believes);
      if (believers.length > 1) {
        this.complain(`${key} is owned by ${believers.map(life => life.process.name).join(' and ')}`);
        this.#contested.delete(key);
      }
      if (this.at(key).length < 2) this.#contested.delete(key);
    }
  }

  #begin(life: Life): void {
    if (!life.process.alive) return;
    const { key, token } = life.job;
    this.startCount++;
    this.#note(`${life.process.name} starts ${key} (${life.id}) under ${token}, attempt ${life.job.attempt}`);
    const highest = this.#tokens.get(key) ?? 0;
    if (token <= highest) this.complain(`${key} starts under token ${token} after ${highest}`);
    this.#tokens.set(key, Math.max(highest, token));
    if (!believes(life)) this.complain(`${key} starts on ${life.worker}, which does not own it`);
    for (const other of this.at(key)) {
      if (believes(other)) this.complain(`${key} starts on ${life.worker} while ${other.worker} owns it`);
      else if (!this.#excused(other))
        this.complain(`${key} starts on ${life.worker} while ${other.worker} still ends it`);
      this.#contested.add(key);
    }
    this.alive.add(life);
    this.begun.push(life.id);
  }

  #end(life: Life, how: string): void {
    if (!this.alive.delete(life)) return;
    this.#note(`${life.process.name} ends ${life.job.key} (${life.id}): ${how}`);
  }

  #heard(life: Life, number: number): void {
    this.#note(`${life.process.name} is told ${number} for ${life.id}`);
    const before = life.noted.at(-1);
    const left = this.unheard(life.id, number - 1);
    // A new owner may hear the last ones again, as may the same one after a loss; nothing may be left out.
    const again = before !== undefined && number <= before && this.lostAtMs === Number.NEGATIVE_INFINITY;
    if (left.length > 0 || again) {
      this.complain(`${life.worker} is told ${number} for ${life.id}, after ${before}, without ${left.join(', ')}`);
    }
    life.noted.push(number);
    const heard = this.#noted.get(life.id) ?? new Set();
    this.#noted.set(life.id, heard.add(number));
  }

  /** A process that was stopped cannot end what it had: it finds out when it goes on, and has its budget then. */
  #excused({ process, lease }: Life): boolean {
    return !lease?.owned && process.network.agenda.nowMs <= process.pausedUntilMs + this.#terms.leaseMs;
  }
}

/** Whether the handler would go on. Asking a worker that lost its lease makes it notice: only one that is awake is asked. */
function believes({ lease, job, process }: Life): boolean {
  if (!lease?.owned) return false;
  if (process.paused) return !job.signal.aborted;
  try {
    job.assertOwned();
    return true;
  } catch {
    return false;
  }
}
