/** What the events of the crash sweep are, and what handlers do with them, in the victim and in the healthy process. */
import type { SinkEvent } from '../../../../src/engine/streams/delivery.ts';
import type { SinkOptions } from '../../../../src/engine/streams/sink-options.ts';

/** The name of an event says what becomes of it. */
export const KINDS = ['good', 'slow', 'refused', 'poison', 'useless', 'filtered'] as const;
export type Kind = (typeof KINDS)[number];
/** These end as dead letters. */
export const DEADLY: readonly Kind[] = ['poison', 'useless'];

export const CLAIM_MS = 300;
/** Handlers of slow events keep theirs alive by heartbeats. */
export const SLOW_MS = 2 * CLAIM_MS;
export const STREAMS = ['s', 't'] as const;
export const SINK = 'swept';

export const OPTIONS: SinkOptions = {
  streams: STREAMS,
  topic: 'wanted',
  concurrency: 4,
  claimIdleMs: CLAIM_MS,
  // Of a consumer that died, of the victim, and of the healthy one that refuses it once more.
  maxDeliveries: 6,
  retryBaseMs: 1,
  retryMaxMs: 5,
  blockMs: 200,
  closeTimeoutMs: 2000,
  laneBy: ({ payload }) => payload.toString(),
};

export function topicOf(kind: Kind): string {
  return kind === 'filtered' ? 'unwanted' : 'wanted';
}

/** What a process remembers of what it refused. */
export function handlerOf(done: (event: SinkEvent) => void): (event: SinkEvent) => Promise<void> {
  const refused = new Set<string>();
  return async event => {
    const kind = event.name as Kind;
    if (kind === 'poison') throw new Error('poison');
    if (kind === 'useless') return event.deadLetter('of no use');
    if (kind === 'refused' && !refused.has(event.id)) {
      refused.add(event.id);
      return event.nack();
    }
    if (kind === 'slow') await new Promise(resolve => setTimeout(resolve, SLOW_MS));
    done(event);
  };
}
