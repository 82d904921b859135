/**
 * Tells what a worker does: sentences on stderr, or records on stdout when a format was asked for. The worker never
 * waits for a slow reader; what does not fit is counted and told.
 */
import {
  describeError,
  type Emitter,
  PonosError,
  type PoolNode,
  type WorkerEvents,
  workerEventNames,
} from '../../engine/index.ts';
import { formatCount, formatTime } from '../../present/human.ts';
import { type WorkerEventRow, workerEventNoun } from '../../present/nouns/worker-events.ts';
import { safeText } from '../../present/safe-text.ts';
import { OutputClosedError } from '../errors.ts';
import type { Output, RecordStream } from '../output.ts';
import { describeWorkerEvent, type EventFacts } from './describe-event.ts';

const MOST_QUEUED = 10_000;
const LOSSES = {
  flushed: 'Redis lost the pool: its workers say what they run; nothing is admitted for one lease',
  server: 'another Redis answers, or a restarted one: workers say what they run; nothing is admitted for one lease',
};
/** The same trouble is told again after so long: while Redis is away there is one a second. */
const SAME_TROUBLE_MS = 10_000;

export class EventLog {
  readonly #output: Output;
  readonly #records: RecordStream<WorkerEventRow> | undefined;
  #queue: WorkerEventRow[] = [];
  #droppedCount = 0;
  #pumping: Promise<void> | undefined;
  #worker = '';
  #trouble = { sentence: '', untilMs: 0 };

  constructor(output: Output) {
    this.#output = output;
    const { format } = output.looks;
    if (format !== 'table' && format !== 'wide') this.#records = output.stream(workerEventNoun);
  }

  followNode(node: PoolNode): void {
    node.events.on('error', error => this.#tellTrouble(describeWorkerEvent('error', error)));
    node.events.on('stateLost', ({ cause, queuedCount }) => {
      const lost = queuedCount > 0 ? `; of ${formatCount(queuedCount, 'job')} that waited some may be lost` : '';
      this.tell('stateLost', { more: { cause, queuedCount }, sentence: `${LOSSES[cause]}${lost}` });
    });
  }

  followWorker(worker: string, events: Emitter<WorkerEvents>): void {
    this.#worker = worker;
    for (const name of workerEventNames) {
      // Its node tells the errors.
      if (name !== 'error') events.on(name, event => this.#tellOf(name, event));
    }
  }

  tell(event: string, { key, token, more = {}, sentence }: EventFacts): void {
    if (this.#queue.length >= MOST_QUEUED) {
      this.#droppedCount++;
      return;
    }
    const row = { event, atMs: Date.now(), worker: this.#worker, more, sentence };
    this.#queue.push({ ...row, key: key ?? null, token: token ?? null });
    this.#pumping ??= this.#pump().finally(() => {
      this.#pumping = undefined;
    });
  }

  /** An error nobody caught: in code of the handler that nothing waits for. */
  unhandled(error: unknown): void {
    if (error instanceof OutputClosedError) return;
    const where = error instanceof Error ? (error.stack?.split('\n').find(line => /^\s+at /.test(line)) ?? '') : '';
    const code = error instanceof PonosError ? error.code : 'UNHANDLED';
    this.tell('unhandled', {
      more: { error: { code, message: describeError(error) } },
      sentence: `error nobody caught, the worker goes on: ${describeError(error)} ${where.trim()}`,
    });
  }

  /** Resolves when all is written, or nobody reads any more. */
  async flush(): Promise<void> {
    while (this.#pumping) await this.#pumping;
  }

  #tellOf<Name extends keyof WorkerEvents>(name: Name, event: WorkerEvents[Name]): void {
    // That it is a member for the first time is told when it is one in every shard: it is ready.
    if (name === 'registered' && (event as WorkerEvents['registered']).incarnation === 1) return;
    this.tell(name, describeWorkerEvent(name, event));
  }

  #tellTrouble(facts: EventFacts): void {
    const nowMs = Date.now();
    const { sentence } = facts;
    if (sentence === this.#trouble.sentence && nowMs < this.#trouble.untilMs) return;
    this.#trouble = { sentence: sentence ?? '', untilMs: nowMs + SAME_TROUBLE_MS };
    this.tell('error', facts);
  }

  async #pump(): Promise<void> {
    // Whoever tells goes on first.
    await Promise.resolve();
    for (;;) {
      const rows = this.#queue;
      this.#queue = [];
      if (this.#droppedCount > 0) rows.push(this.#dropped());
      if (rows.length === 0) return;
      try {
        for (const row of rows) await this.#write(row);
      } catch (error) {
        if (!(error instanceof OutputClosedError)) throw error;
      }
    }
  }

  async #write(row: WorkerEventRow): Promise<void> {
    if (this.#records) await this.#records.write(row.event, row);
    else if (row.sentence !== null) await this.#output.note(`${formatTime(row.atMs)} ${safeText(row.sentence)}`);
  }

  #dropped(): WorkerEventRow {
    const count = this.#droppedCount;
    this.#droppedCount = 0;
    const base = { event: 'dropped', atMs: Date.now(), worker: this.#worker, key: null, token: null };
    return {
      ...base,
      more: { count },
      sentence: `${formatCount(count, 'event')} not shown: they come faster than they are read`,
    };
  }
}
