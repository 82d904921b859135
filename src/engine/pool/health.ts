import { storedFields } from '../core/stored.ts';

/** What a worker says of itself beside its lease, for people. */
export interface WorkerHealth {
  /** Handlers at work that did not stop in time. */
  zombieCount: number;
  /** How late the event loop runs, 99th percentile in ms. */
  lagMs: number;
  /** So late that it puts the lease at risk. */
  lagging: boolean;
}

/** Of a worker that says nothing. */
export const GOOD_HEALTH: WorkerHealth = { zombieCount: 0, lagMs: 0, lagging: false };
/** What is kept of the lag, so that it is not another one at each renewal. */
const LAG_STEP_MS = 10;

/** Remembers what Redis was told, so that only what changed is told again. */
export class HealthReport {
  #told = JSON.stringify(GOOD_HEALTH);

  /** Redis knows nothing any more. */
  restart(): void {
    this.#told = JSON.stringify(GOOD_HEALTH);
  }

  /** What Redis is to be told now; empty when it knows. */
  news({ zombieCount, lagMs, lagging }: WorkerHealth): string {
    const text = JSON.stringify({ zombieCount, lagMs: Math.floor(lagMs / LAG_STEP_MS) * LAG_STEP_MS, lagging });
    return text === this.#told ? '' : text;
  }

  told(news: string): void {
    if (news !== '') this.#told = news;
  }
}

export function parseHealth(text: string | undefined): WorkerHealth {
  return { ...GOOD_HEALTH, ...storedFields(text, GOOD_HEALTH) };
}
