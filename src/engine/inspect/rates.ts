import type { Rate } from './fleet.ts';

const HISTORY_SECONDS = 60;

interface Meter {
  total: number;
  atMs: number;
  rate: Rate;
}

/** Derives rates from totals read now and then. A total that went back starts anew: the thing was removed and made again. */
export class RateBoard {
  readonly #meters = new Map<string, Meter>();

  note(name: string, total: number, atMs: number): void {
    const meter = this.#meters.get(name);
    if (!meter || total < meter.total) {
      this.#meters.set(name, { total, atMs, rate: { perSecond: null, history: [] } });
      return;
    }
    const elapsedMs = atMs - meter.atMs;
    if (elapsedMs <= 0) return;
    const perSecond = ((total - meter.total) / elapsedMs) * 1000;
    const seconds = Math.min(HISTORY_SECONDS, Math.max(1, Math.round(elapsedMs / 1000)));
    const history = [...meter.rate.history, ...Array<number>(seconds).fill(perSecond)].slice(-HISTORY_SECONDS);
    this.#meters.set(name, { total, atMs, rate: { perSecond, history } });
  }

  /** Forgets every name of a kind (`pool:`) that is not in `names`. */
  keepOnly(kind: string, names: readonly string[]): void {
    const kept = new Set(names.map(name => kind + name));
    for (const name of this.#meters.keys()) if (name.startsWith(kind) && !kept.has(name)) this.#meters.delete(name);
  }

  read(): ReadonlyMap<string, Rate> {
    return new Map([...this.#meters].map(([name, meter]) => [name, meter.rate]));
  }
}
