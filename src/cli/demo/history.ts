import type { ReadingEvent } from './protocol.ts';

interface Life {
  token: number;
  pid: number;
  firstAtMs: number;
  lastAtMs: number;
  lastSequence: number;
  missing: number;
}

/** What the sink received, kept so that the promises can be checked against it. */
export class History {
  readonly #lives = new Map<string, Life[]>();
  readonly #ids = new Set<string>();
  duplicateCount = 0;

  /** Records one reading; false when its event came before. */
  record(id: string, event: ReadingEvent): boolean {
    if (this.#ids.has(id)) {
      this.duplicateCount++;
      return false;
    }
    this.#ids.add(id);
    const lives = this.#lives.get(event.key) ?? [];
    this.#lives.set(event.key, lives);
    const life = lives.find(candidate => candidate.token === event.token);
    if (!life) {
      const { token, pid, atMs, sequence } = event;
      lives.push({ token, pid, firstAtMs: atMs, lastAtMs: atMs, lastSequence: sequence, missing: sequence - 1 });
    } else {
      life.missing += event.sequence - life.lastSequence - 1;
      life.lastSequence = event.sequence;
      life.firstAtMs = Math.min(life.firstAtMs, event.atMs);
      life.lastAtMs = Math.max(life.lastAtMs, event.atMs);
    }
    return true;
  }

  get receivedCount(): number {
    return this.#ids.size;
  }

  get keys(): string[] {
    return [...this.#lives.keys()];
  }

  /** The process that read `key` last, by token. */
  ownerOf(key: string): number | undefined {
    return this.#latest(key)?.pid;
  }

  tokenOf(key: string): number | undefined {
    return this.#latest(key)?.token;
  }

  /** Readings that are missing between the first and the last of a life. */
  get missingCount(): number {
    return this.#all().reduce((sum, life) => sum + life.missing, 0);
  }

  /** Pairs of lives of one key that read at the same time: must be none. */
  get overlapCount(): number {
    let overlaps = 0;
    for (const lives of this.#lives.values()) {
      const byToken = lives.toSorted((a, b) => a.token - b.token);
      for (let i = 1; i < byToken.length; i++) {
        if ((byToken[i] as Life).firstAtMs < (byToken[i - 1] as Life).lastAtMs) overlaps++;
      }
    }
    return overlaps;
  }

  /** Longest time between two lives of one of `keys`, for lives that began after `sinceMs`. */
  longestHandoverMs(keys: readonly string[], sinceMs: number): number {
    let longest = 0;
    for (const key of keys) {
      const byToken = (this.#lives.get(key) ?? []).toSorted((a, b) => a.token - b.token);
      for (let i = 1; i < byToken.length; i++) {
        const [before, after] = [byToken[i - 1] as Life, byToken[i] as Life];
        if (after.firstAtMs >= sinceMs) longest = Math.max(longest, after.firstAtMs - before.lastAtMs);
      }
    }
    return longest;
  }

  /** First reading of the latest life of `key`. */
  lastStartMs(key: string): number {
    return this.#latest(key)?.firstAtMs ?? 0;
  }

  #latest(key: string): Life | undefined {
    return this.#lives.get(key)?.reduce((a, b) => (b.token > a.token ? b : a));
  }

  #all(): Life[] {
    return [...this.#lives.values()].flat();
  }
}
