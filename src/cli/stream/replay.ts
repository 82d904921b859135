/** `stream replay`: gives the events of a part of a stream to a target, and says how it ended. */
import { type EventStream, type NewEvent, REPLAY_HEADER, type Replay, type StreamEvent } from '../../engine/index.ts';
import { formatCount } from '../../present/human.ts';
import type { EventPrinter } from './event-printer.ts';

export interface ReplayTarget {
  event(event: StreamEvent): Promise<void>;
  /** All were given. */
  finish?(): Promise<void>;
}

/** Of one publishMany: enough to fill the socket, little to be in doubt about when an answer is lost. */
const BATCH_COUNT = 500;
const BATCH_BYTES = 1_048_576;

/** For a plan: nothing is done with them. */
export class CountingReplay implements ReplayTarget {
  async event(): Promise<void> {}
}

/** Publishes them in their order to another stream. */
export class CopyingReplay implements ReplayTarget {
  readonly #into: EventStream;
  #batch: NewEvent[] = [];
  #bytes = 0;

  constructor(into: EventStream) {
    this.#into = into;
  }

  async event({ id, name, payload, topic, headers }: StreamEvent): Promise<void> {
    this.#batch.push({ name, payload, topic, headers: new Map([...headers, [REPLAY_HEADER, id]]) });
    this.#bytes += payload.length;
    if (this.#batch.length >= BATCH_COUNT || this.#bytes >= BATCH_BYTES) await this.finish();
  }

  async finish(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    this.#bytes = 0;
    await this.#into.publishMany(batch);
  }
}

/** @throws ConflictError `REPLAY_GAP`, and what `target` throws. Ends in silence when `signal` aborts. */
export async function runReplay(
  replay: Replay,
  target: ReplayTarget,
  printer: EventPrinter,
  signal: AbortSignal,
  { into, dryRun }: { into?: string | undefined; dryRun?: boolean | undefined },
): Promise<void> {
  try {
    for await (const event of replay) {
      if (signal.aborted) break;
      await target.event(event);
    }
  } finally {
    // What was given before a gap, or a signal, is there.
    await target.finish?.();
  }
  const { result } = replay;
  if (!result) return;
  const { complete, eventCount, malformedCount, lastId } = result;
  const where = into === undefined ? '' : ` ${dryRun ? 'would go ' : ''}into stream "${into}"`;
  const passedOver = malformedCount > 0 ? `, ${malformedCount} that were no events left out` : '';
  const rest = complete ? '' : `; there are more: --from ${lastId}`;
  const sentence = `${formatCount(eventCount, 'event')} of stream "${replay.stream}"${where}${passedOver}${rest}`;
  const { complete: _, ...fields } = result;
  const type = complete ? 'complete' : 'incomplete';
  await printer.notice(type, { stream: replay.stream, into: into ?? null, ...fields }, `${type}: ${sentence}`, 'good');
}
