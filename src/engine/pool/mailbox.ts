/**
 * Follows the numbers of a worker's hints, so that a lost one is noticed without reading what is recorded to the worker:
 * by a gap before the next hint, or because Redis counted more hints than came. Then everything recorded to it is read
 * once (a synchronisation), and the hints that this covers are dropped when they come late.
 */
export class MailboxCursor {
  #seen = 0;
  #missed = true;
  #suspect: { sequence: number; atMs: number } | undefined;
  /** Tokens given by the last synchronisation, until the hints of before it are all in. */
  readonly #claimed = new Map<string, number>();
  #claimedUpTo = 0;

  /** How long a hint may be under way before it counts as lost. */
  static readonly transitMs = 150;

  /** True when a synchronisation is due. */
  get missed(): boolean {
    return this.#missed;
  }

  /** A new incarnation: hints up to `sequence` are not for it, what they said is read once. */
  restart(sequence: number): void {
    this.#seen = sequence;
    this.#missed = true;
    this.#suspect = undefined;
    this.#claimed.clear();
  }

  /** False for a hint that is covered already. */
  accept(sequence: number, key?: string, token?: number): boolean {
    if (sequence <= this.#seen) return false;
    if (sequence > this.#seen + 1) this.#missed = true;
    this.#seen = sequence;
    const newer = key === undefined || token === undefined || this.isNewer(key, token);
    if (this.#seen >= this.#claimedUpTo) this.#claimed.clear();
    return newer;
  }

  /** False when a synchronisation has given the job another token since. What is said of that very token still holds. */
  isNewer(key: string, token: number): boolean {
    const claimed = this.#claimed.get(key);
    return claimed === undefined || token >= claimed;
  }

  /** Redis has counted `sequence` hints. True when some are missing that may still be under way: look again soon. */
  compare(sequence: number, nowMs: number): boolean {
    if (this.#suspect && this.#seen < this.#suspect.sequence && nowMs - this.#suspect.atMs >= MailboxCursor.transitMs) {
      this.#missed = true;
    }
    if (sequence <= this.#seen) {
      this.#suspect = undefined;
      return false;
    }
    if (!this.#suspect || this.#suspect.sequence <= this.#seen) this.#suspect = { sequence, atMs: nowMs };
    return !this.#missed;
  }

  /** A synchronisation begins that covers all hints up to `sequence`. */
  syncBegins(sequence: number): void {
    this.#missed = false;
    this.#suspect = undefined;
    this.#seen = Math.max(this.#seen, sequence);
  }

  /** It gave the job a new token, when Redis had counted `sequence` hints. */
  claimed(key: string, token: number, sequence: number): void {
    this.#claimed.set(key, token);
    this.#claimedUpTo = Math.max(this.#claimedUpTo, sequence);
  }

  /** It did not come to its end. */
  syncFailed(): void {
    this.#missed = true;
  }
}
