/** `stream tail --rate`: how many events come, each second, instead of the events. */
import { setTimeout as pause } from 'node:timers/promises';
import type { StreamEvent } from '../../engine/index.ts';
import { type RateRow, rateNoun } from '../../present/nouns/rates.ts';
import type { Output } from '../output.ts';

const EVERY_MS = 1000;

export class RateMeter {
  readonly #output: Output;
  #counts = new Map<string, { events: number; bytes: number; total: number }>();

  constructor(output: Output) {
    this.#output = output;
  }

  /** A line for each of these from now on. */
  follows(streams: readonly string[]): void {
    const counted = this.#counts;
    this.#counts = new Map(
      streams.map(stream => [stream, counted.get(stream) ?? { events: 0, bytes: 0, total: 0 }] as const),
    );
  }

  async event({ stream, payload }: StreamEvent): Promise<void> {
    const count = this.#counts.get(stream);
    if (!count) return;
    count.events++;
    count.bytes += payload.length;
  }

  /** Writes a line for each stream each second, `times` times, or until `signal` aborts. */
  async run(times: number | undefined, signal: AbortSignal): Promise<void> {
    const records = this.#output.stream(rateNoun);
    let lastMs = performance.now();
    for (let done = 0; done !== times; done++) {
      await pause(EVERY_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      const nowMs = performance.now();
      const seconds = (nowMs - lastMs) / 1000;
      lastMs = nowMs;
      for (const row of this.#take(seconds)) await records.write('rate', row);
    }
  }

  #take(seconds: number): RateRow[] {
    const atMs = Date.now();
    return [...this.#counts].map(([stream, count]) => {
      const { events, bytes } = count;
      count.total += events;
      count.events = 0;
      count.bytes = 0;
      return {
        stream,
        atMs,
        eventCount: events,
        eventsPerSecond: Math.round((events / seconds) * 10) / 10,
        bytesPerSecond: Math.round(bytes / seconds),
        totalCount: count.total,
      };
    });
  }
}
