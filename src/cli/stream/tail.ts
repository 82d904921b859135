/** `stream tail`: reads, chooses, prints; tells what was missed and when the connection was lost and came back. */
import {
  type Gap,
  NotFoundError,
  Reader,
  type RedisLink,
  type Start,
  type StreamEvent,
  showStream,
} from '../../engine/index.ts';
import { formatCount } from '../../present/human.ts';
import type { EventPrinter } from './event-printer.ts';

export interface TailOptions {
  streams: readonly string[];
  /** Where to start in a stream. */
  startIn: (stream: string) => Promise<Start>;
  follow: boolean;
  /** Glob of topics. */
  topic: string | undefined;
  accepts: (event: StreamEvent) => boolean;
  /** Ends after so many events. */
  count: number | undefined;
}

/**
 * A stream that does not exist is waited for when following.
 * @throws NotFoundError without `follow`, and when nothing is left to read because the streams were removed.
 */
export async function tail(
  link: RedisLink,
  options: TailOptions,
  printer: EventPrinter,
  signal: AbortSignal,
): Promise<void> {
  const { streams, follow, topic, accepts, count } = options;
  const reader = await Reader.open(link, [], { follow, onGap: 'report', topic });
  const close = () => void reader.close();
  signal.addEventListener('abort', close, { once: true });
  const removed = new Set<string>();
  let notices: Promise<void> = Promise.resolve();
  // Events may already be waiting: what is said goes out now, before them. Nobody reading is told by the next event.
  const notice = (type: string, fields: object, sentence: string, tone: 'good' | 'bad' = 'bad') => {
    notices = Promise.all([notices, printer.notice(type, fields, sentence, tone)]).then(
      () => undefined,
      () => undefined,
    );
  };
  reader.events.on('gap', gap => notice('gap', { ...gap, lostCount: gap.lostCount ?? null }, gapSentence(gap)));
  reader.events.on('malformed', found =>
    notice('malformed', found, `entry ${found.id} of stream "${found.stream}" is no event: ${found.reason}`),
  );
  reader.events.on('removed', ({ stream }) => {
    removed.add(stream);
    notice('removed', { stream }, `stream "${stream}" was removed`);
  });
  reader.events.on('disconnected', error =>
    notice('disconnected', { reason: error.code }, 'the connection to Redis is lost; reading goes on when it is back'),
  );
  reader.events.on('reconnected', () =>
    notice('resync', { reason: 'reconnect' }, 'connected again; reading went on after the last event', 'good'),
  );
  try {
    for (const stream of streams) {
      if (!(await exists(link, stream, follow)))
        await printer.note(`stream "${stream}" does not exist yet; waiting for it`);
      await reader.addStream(stream, await options.startIn(stream));
    }
    if (follow) await printer.note(`following stream "${streams.join('", "')}"; Ctrl-C ends it`);
    let shown = 0;
    for await (const event of reader) {
      if (!accepts(event)) continue;
      await printer.event(event);
      if (++shown === count) return;
    }
  } finally {
    signal.removeEventListener('abort', close);
    await reader.close();
    await notices;
  }
  const gone = [...removed];
  if (follow && !signal.aborted && gone.length > 0) throw new NotFoundError('stream', gone.join('", "'));
}

/** @throws NotFoundError unless a missing stream may be waited for. */
async function exists(link: RedisLink, stream: string, mayBeMissing: boolean): Promise<boolean> {
  try {
    await showStream(link, stream);
    return true;
  } catch (error) {
    if (mayBeMissing && error instanceof NotFoundError) return false;
    throw error;
  }
}

function gapSentence({ stream, afterId, lostCount, reason }: Gap): string {
  const events = lostCount === undefined ? 'events, how many cannot be told,' : formatCount(lostCount, 'event');
  if (reason === 'trimmed') return `${events} of stream "${stream}" after ${afterId}: removed before they were read`;
  if (reason === 'replaced') return `stream "${stream}" was deleted and made anew; reading goes on at its beginning`;
  return `stream "${stream}" ends before ${afterId}: Redis lost its newest events`;
}
