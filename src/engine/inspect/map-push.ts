import type { Timer } from '../core/clock.ts';
import type { RedisLink } from '../redis/link.ts';
import type { Subscription } from '../redis/subscriptions.ts';

/** Changes that come together are told once. */
const GATHER_MS = 200;

/**
 * Tells when the one map that is looked at changed, so that it is read then and not only when its turn comes. A hint: a
 * lost one costs nothing but time.
 */
export class MapPush {
  readonly #link: RedisLink;
  readonly #onChange: () => void;
  #map: string | undefined;
  #changing: Promise<void> = Promise.resolve();
  #subscription: Subscription | undefined;
  #telling: Timer | undefined;

  constructor(link: RedisLink, onChange: () => void) {
    this.#link = link;
    this.#onChange = onChange;
  }

  /** Listens to this map and no other; undefined: to none. */
  follow(map: string | undefined): void {
    if (map === this.#map) return;
    this.#map = map;
    this.#changing = this.#changing.then(() => this.#change(map));
  }

  async close(): Promise<void> {
    this.follow(undefined);
    this.#telling?.cancel();
    await this.#changing;
  }

  /** One change after the other; never rejects: without hints the map is still read in its turn. */
  async #change(map: string | undefined): Promise<void> {
    try {
      await this.#subscription?.close();
      this.#subscription = undefined;
      // Looked at for a moment only.
      if (map === undefined || map !== this.#map) return;
      const { changes } = this.#link.keys.map(map);
      const tell = () => this.#tellSoon();
      this.#subscription = await this.#link.subscriptions.subscribe(changes, { message: tell, ready: tell });
    } catch {
      this.#subscription = undefined;
    }
  }

  #tellSoon(): void {
    this.#telling ??= this.#link.clock.after(GATHER_MS, () => {
      this.#telling = undefined;
      if (this.#map !== undefined) this.#onChange();
    });
  }
}
