import type { Emitter } from '../core/emitter.ts';
import type { RedisLink } from '../redis/link.ts';
import type { Delivery } from './delivery.ts';
import type { StreamEvent } from './event.ts';
import type { SoleOwner } from './owner.ts';
import type { SinkCounters, SinkEvents } from './sink-events.ts';
import type { SinkSettings } from './sink-options.ts';
import type { TopicFilter } from './topic.ts';

/** What the consumers of one sink in one process share. */
export interface SinkContext {
  readonly link: RedisLink;
  readonly sink: string;
  /** Name of the consumer, on every stream. */
  readonly consumer: string;
  readonly settings: SinkSettings;
  readonly config: string;
  readonly filter: TopicFilter | undefined;
  /** Which lane an event belongs to; undefined when there are none. */
  readonly laneOf: ((event: StreamEvent) => string | undefined) | undefined;
  /** Set when this is the only consumer of the sink on its stream. */
  readonly owner: SoleOwner | undefined;
  readonly events: Emitter<SinkEvents>;
  readonly counters: SinkCounters;
  /** Hands over what was received; `wake` afterwards starts it, unless it must wait for its lane. Returns whether not. */
  deliver(delivery: Delivery): boolean;
  /** An event is over here: done, dead, or with another consumer. Its lane goes on. */
  over(stream: string, id: string): void;
  /** Something changed that reading or starting may wait for. */
  wake(): void;
  /** How many entries may be claimed now. */
  claimCredit(): number;
  /** How many of the entries that another consumer left may be taken now: what can be begun at once. */
  leftCredit(): number;
  /** Tells of a loss, also one that is found while the sink is being opened and nobody can listen yet. */
  tellLoss(loss: SinkEvents['dataLoss']): void;
}
