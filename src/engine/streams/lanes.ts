/**
 * Lanes: events of one lane are handled one at a time, oldest first, while those of other lanes go on.
 *
 * A lane is held by one event, the oldest when it starts, until it is over: acknowledged, dead, or with another consumer. So
 * it stays held while a refused event waits for its next delivery. Whatever else arrives for the lane waits here, sorted
 * by id: what is claimed late still comes before what is newer and has not started. Pure.
 */
import type { Delivery, Settler } from './delivery.ts';
import { compareEntryIds } from './entry-id.ts';

interface Lane {
  readonly name: string;
  /** The event that holds it. */
  holder: string;
  /** A handler has seen it: it keeps the lane until it is over. */
  seen: boolean;
  running: boolean;
  /** The event that holds it is over, but its handler has not ended. */
  over: boolean;
  /** The event that holds it, delivered again before its handler ended. */
  again: Delivery | undefined;
  readonly waiting: Delivery[];
}

export class Lanes {
  readonly #lanes = new Map<string, Lane>();
  /** The lane in which an event is, holding it or waiting. */
  readonly #laneOf = new Map<string, Lane>();
  #waitingCount = 0;
  #waitingBytes = 0;

  /** Deliveries that wait for another of their lane. */
  get waitingCount(): number {
    return this.#waitingCount;
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Whether the delivery may start. If not, it is kept here until its turn. */
  admit(delivery: Delivery): boolean {
    const { lane: name } = delivery;
    if (name === undefined) return true;
    const event = keyOf(delivery);
    const lane = this.#lanes.get(name);
    if (!lane) {
      const fresh = { name, holder: event, seen: false, running: false, over: false, again: undefined, waiting: [] };
      this.#lanes.set(name, fresh);
      this.#laneOf.set(event, fresh);
      return true;
    }
    if (lane.holder === event) {
      if (!lane.running) return true;
      lane.again = delivery;
      lane.over = false;
      return false;
    }
    this.#wait(lane, delivery);
    return false;
  }

  /** What is to start in place of this one: an older event of its lane, if one came in the meantime. */
  turnOf(delivery: Delivery): Delivery {
    const lane = this.#heldBy(delivery);
    const first = lane?.waiting[0];
    if (!lane || lane.seen || !first || compareEntryIds(first.id, delivery.id) > 0) return delivery;
    this.#leaves(lane.waiting.shift() as Delivery);
    lane.holder = keyOf(first);
    this.#wait(lane, delivery);
    return first;
  }

  /** Its handler was called. */
  started(delivery: Delivery): void {
    const lane = this.#heldBy(delivery);
    if (!lane) return;
    lane.seen = true;
    lane.running = true;
  }

  /** Its handler ended. Returns what may start now. */
  ended(delivery: Delivery): Delivery | undefined {
    const lane = this.#heldBy(delivery);
    if (!lane) return undefined;
    lane.running = false;
    const { again } = lane;
    lane.again = undefined;
    return again ?? (lane.over ? this.#advance(lane) : undefined);
  }

  /** An event will not be delivered here again. Returns what may start now. */
  over(event: { stream: string; id: string }): Delivery | undefined {
    const key = keyOf(event);
    const lane = this.#laneOf.get(key);
    if (!lane) return undefined;
    if (lane.holder !== key) {
      this.#laneOf.delete(key);
      const at = lane.waiting.findIndex(waiting => keyOf(waiting) === key);
      if (at >= 0) this.#leaves(lane.waiting.splice(at, 1)[0] as Delivery);
      return undefined;
    }
    lane.again = undefined;
    lane.over = true;
    return lane.running ? undefined : this.#advance(lane);
  }

  /** Takes out what waits and belongs to `settler`. */
  takeWaiting(settler: Settler): Delivery[] {
    const taken = this.waitingOf(settler);
    for (const delivery of taken) this.over(delivery);
    return taken.filter(delivery => !delivery.settled);
  }

  waitingOf(settler: Settler): Delivery[] {
    if (this.#waitingCount === 0) return [];
    return [...this.#lanes.values()].flatMap(({ waiting }) => waiting.filter(each => each.settler === settler));
  }

  #heldBy(delivery: Delivery): Lane | undefined {
    if (delivery.lane === undefined) return undefined;
    const key = keyOf(delivery);
    const lane = this.#laneOf.get(key);
    return lane?.holder === key ? lane : undefined;
  }

  #wait(lane: Lane, delivery: Delivery): void {
    const { waiting } = lane;
    let at = waiting.length;
    while (at > 0 && compareEntryIds((waiting[at - 1] as Delivery).id, delivery.id) > 0) at--;
    waiting.splice(at, 0, delivery);
    this.#laneOf.set(keyOf(delivery), lane);
    this.#waitingCount++;
    this.#waitingBytes += delivery.payload.length;
  }

  #leaves(delivery: Delivery): void {
    this.#waitingCount--;
    this.#waitingBytes -= delivery.payload.length;
  }

  #advance(lane: Lane): Delivery | undefined {
    this.#laneOf.delete(lane.holder);
    const next = lane.waiting.shift();
    if (!next) {
      this.#lanes.delete(lane.name);
      return undefined;
    }
    this.#leaves(next);
    lane.holder = keyOf(next);
    lane.seen = false;
    lane.over = false;
    this.#laneOf.set(lane.holder, lane);
    return next;
  }
}

function keyOf({ id, stream }: { id: string; stream: string }): string {
  return `${id} ${stream}`;
}
