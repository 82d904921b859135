/**
 * Decides what an observer reads when, so that its load on Redis is bounded by construction: readings cost commands, a
 * bucket refills at the allowed rate, and nothing is due while the bucket is in debt. What is most overdue, measured in
 * its own intervals, goes first; so what is on screen is read most often and nothing else starves.
 */
export interface Duty {
  name: string;
  /** How often it should be read when there is budget. */
  everyMs: number;
}

export interface CadenceOptions {
  /** Commands that may be spent at once after a quiet time. */
  burst: number;
  /** Largest debt that is remembered: bounds how long one costly reading delays the next. */
  maxDebt: number;
}

/** What one reading is taken to cost until the true cost is known. */
const GUESSED_COST = 5;

export class Cadence {
  readonly #options: CadenceOptions;
  readonly #lastMs = new Map<string, number>();
  #perSecond: number;
  #budget: number;
  #filledMs: number;

  constructor(options: CadenceOptions, perSecond: number, nowMs: number) {
    this.#options = options;
    this.#perSecond = perSecond;
    this.#budget = options.burst;
    this.#filledMs = nowMs;
  }

  /** Changes how many commands a second are allowed from now on. */
  allow(perSecond: number, nowMs: number): void {
    this.#fill(nowMs);
    this.#perSecond = perSecond;
  }

  /** The duties to run now, most overdue first. */
  due(duties: readonly Duty[], nowMs: number): string[] {
    this.#fill(nowMs);
    const overdue = duties
      .map(duty => ({ name: duty.name, share: this.#elapsed(duty.name, nowMs) / duty.everyMs }))
      .filter(duty => duty.share >= 1)
      .sort((a, b) => b.share - a.share);
    let left = this.#budget;
    const chosen: string[] = [];
    for (const duty of overdue) {
      if (left <= 0) break;
      chosen.push(duty.name);
      left -= GUESSED_COST;
    }
    return chosen;
  }

  /** Notes that a duty was run at `nowMs`. */
  ran(name: string, nowMs: number): void {
    this.#lastMs.set(name, nowMs);
  }

  /** Makes a duty due now, but not more overdue than others that waited longer. */
  hasten({ name, everyMs }: Duty, nowMs: number): void {
    const lastMs = this.#lastMs.get(name);
    if (lastMs !== undefined) this.#lastMs.set(name, Math.min(lastMs, nowMs - everyMs));
  }

  /** Takes what a reading has really cost. */
  spend(commandCount: number): void {
    this.#budget = Math.max(this.#budget - commandCount, -this.#options.maxDebt);
  }

  /** Commands that may be spent now; at most the burst. */
  get budget(): number {
    return this.#budget;
  }

  /** Time until something is due and may be paid for. */
  waitMs(duties: readonly Duty[], nowMs: number): number {
    this.#fill(nowMs);
    const debtMs = this.#budget > 0 ? 0 : ((1 - this.#budget) / this.#perSecond) * 1000;
    const dueMs = Math.min(...duties.map(duty => duty.everyMs - this.#elapsed(duty.name, nowMs)));
    return Math.max(0, debtMs, Number.isFinite(dueMs) ? dueMs : 0);
  }

  #elapsed(name: string, nowMs: number): number {
    const lastMs = this.#lastMs.get(name);
    return lastMs === undefined ? Number.POSITIVE_INFINITY : nowMs - lastMs;
  }

  #fill(nowMs: number): void {
    const gained = ((nowMs - this.#filledMs) / 1000) * this.#perSecond;
    this.#budget = Math.min(this.#options.burst, this.#budget + gained);
    this.#filledMs = nowMs;
  }
}
