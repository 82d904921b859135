import { isUtf8 } from 'node:buffer';
import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../cli/base-command.ts';
import { UsageError } from '../../cli/errors.ts';
import { changeFlags, duration, evictionFlags, poolFlags, text } from '../../cli/flags.ts';
import { countBulkJobs, dispatchBulk } from '../../cli/job/dispatch-bulk.ts';
import { rateFlag } from '../../cli/job/flags.ts';
import { payloadOf } from '../../cli/stdin.ts';
import {
  checkDispatch,
  type DispatchOptions,
  durabilityOptions,
  linkOptions,
  NotFoundError,
  newId,
  PoolClient,
} from '../../engine/index.ts';
import { formatBytes, formatCount, formatDuration } from '../../present/human.ts';
import { dispatchNoun } from '../../present/nouns/dispatches.ts';
import { safeText } from '../../present/safe-text.ts';

export default class JobDispatch extends BaseCommand<typeof JobDispatch> {
  static override summary = 'Give a job to a pool, or many of them from standard input';
  static override description =
    `The key decides which worker gets the job. There is at most one job of a key: while there is one, another dispatch ends with 4. The id of the dispatch is written to stdout; repeated with the same --id, a dispatch gets the answer of the first.
With - and --ndjson each line of standard input is one job: {"key", "payload", "id"}, where only the key is needed. A payload is a string, base64 with "payloadEncoding": "base64", or any other JSON value. One record is written for each, in the order of the input. Ends with 9 when some were dispatched and some failed.
With --durability-replicas it counts only once so many replicas have it; with fewer in time it ends with 5, the job stands, and may be sent again under the id that the error names.
With --wait, --timeout is the longest wait for the job, default 30s.`;
  static override examples = [
    '<%= config.bin %> job dispatch tenant-7',
    `<%= config.bin %> job dispatch tenant-7 '{"interval":"5s"}' --wait started`,
    '<%= config.bin %> job dispatch order-5 --id order-5 --durability-replicas 1 --durability-timeout 200ms',
    'cat film.json | <%= config.bin %> job dispatch film-1 - --pool video --wait completed --timeout 10m --raw',
    '<%= config.bin %> job dispatch - --ndjson --rate 50/s --continue-on-error < jobs.ndjson',
  ];
  static override impact = 'write' as const;
  static override args = {
    key: text({ required: true, description: 'Key of the job; - with --ndjson' }),
    payload: text({ description: 'Payload, or - for standard input; default empty' }),
  };
  static override flags = {
    ...poolFlags,
    create: Flags.boolean({ description: 'Make the pool when it does not exist; the job then waits for a worker' }),
    wait: Flags.string({
      options: ['accepted', 'started', 'completed'],
      helpValue: 'STAGE',
      description: 'accepted (default), started or completed: until when to wait',
    }),
    id: Flags.string({ helpValue: 'ID', description: 'Id of the dispatch: the same again has no second effect' }),
    delay: duration({
      helpValue: '10s',
      description:
        'Start it no sooner than that; the time stands still while no worker or other client of the pool is connected',
    }),
    attempts: Flags.integer({ helpValue: 'N', min: 0, description: 'Attempts before it is dead; 0 never gives up' }),
    retries: Flags.integer({
      helpValue: 'N',
      min: 0,
      description: 'The same, the first attempt not counted',
      exclusive: ['attempts'],
    }),
    keep: duration({
      helpValue: '1h',
      description: 'Keep the outcome that long under the id of the dispatch',
    }),
    backoff: duration({ helpValue: '1s', description: 'Wait before the second attempt; then it doubles' }),
    'durability-replicas': Flags.integer({
      helpValue: 'N',
      min: durabilityOptions.replicas.min,
      max: durabilityOptions.replicas.max,
      description: 'Replicas that must have it, default none',
    }),
    'durability-timeout': duration({
      helpValue: '1s',
      description: 'Longest wait for them',
      dependsOn: ['durability-replicas'],
    }),
    ndjson: Flags.boolean({ description: 'With -: one job on each line of standard input' }),
    rate: rateFlag({ description: 'With --ndjson: at most so many', dependsOn: ['ndjson'] }),
    'continue-on-error': Flags.boolean({
      description: 'With --ndjson: go on after a job that failed',
      dependsOn: ['ndjson'],
    }),
    ...evictionFlags,
    ...changeFlags,
  };

  async run(): Promise<void> {
    const { key, payload } = this.args;
    if (this.flags.ndjson) return this.#bulk(key, payload);
    if (key === '-' && payload === undefined) {
      throw new UsageError('there is no KEY', {
        hint: 'A lone - is for many jobs; add --ndjson, or give the key first.',
      });
    }
    if (await this.planned(`dispatch job "${key}" to pool "${this.pool}"`, () => this.#check(key))) return;
    const bytes = await payloadOf(payload);
    const client = await this.#open();
    const startMs = performance.now();
    const id = this.flags.id ?? (this.#waits ? newId() : undefined);
    let waiting = this.#waits;
    // Whoever ends the wait has not taken back what was asked for.
    this.defer(() => {
      if (!waiting || !this.interrupted.aborted) return;
      return this.output.note(
        `not waiting any more; the dispatch of job "${safeText(key)}" stands, with id ${id}: "ponos job show" says how far the job is, "ponos job stop" ends it`,
      );
    });
    const dispatch = await client.dispatch(key, bytes, { ...this.#options(), id }).finally(() => {
      waiting = waiting && this.interrupted.aborted;
    });
    const tookMs = performance.now() - startMs;
    if (this.output.looks.format === 'table') await this.output.line(dispatch.id);
    else await this.output.item(dispatchNoun, dispatch);
    const worker = dispatch.worker ? `, worker ${dispatch.worker}` : '';
    await this.output.note(`job "${safeText(key)}" ${dispatch.status} in ${formatDuration(tookMs)}${worker}`);
    const { result } = dispatch;
    if (this.output.looks.format === 'table' && result?.length) await this.output.note(`result: ${preview(result)}`);
  }

  /** @throws what the dispatch would, as far as reading tells. */
  async #check(key: string): Promise<void> {
    try {
      await checkDispatch(await this.connect(), this.pool, key, { again: this.flags.id !== undefined });
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error;
      if (!this.flags.create) throw this.#noPool(error);
    }
  }

  async #bulk(key: string, payload: string | undefined): Promise<void> {
    if (key !== '-' || payload !== undefined || this.flags.id !== undefined) {
      throw new UsageError('with --ndjson the keys, payloads and ids come from standard input', {
        suggestions: [['ponos job dispatch - --ndjson < jobs.ndjson', 'one job on each line']],
      });
    }
    const stop = new AbortController();
    this.untilInterrupted();
    this.interrupted.addEventListener('abort', () => stop.abort(), { once: true });
    if (this.flags['dry-run']) {
      const { jobCount, badCount } = await countBulkJobs(process.stdin, stop.signal);
      const bad = `${formatCount(badCount, 'line')} ${badCount === 1 ? 'is no job' : 'are no jobs'}`;
      await this.planned(`dispatch ${formatCount(jobCount, 'job')} to pool "${this.pool}"; ${bad}`);
      return;
    }
    const client = await this.#open();
    await dispatchBulk(process.stdin, {
      client,
      output: this.output,
      options: this.#options(),
      perSecond: this.flags.rate,
      continueOnError: this.flags['continue-on-error'] === true,
      stop,
    });
  }

  async #open(): Promise<PoolClient> {
    const link = await this.connect(this.#waits ? { timeoutMs: linkOptions.commandTimeoutMs.default } : {});
    const client = await PoolClient.open(link, this.pool, {
      create: this.flags.create === true,
      allowUnsafeEviction: this.flags['allow-unsafe-eviction'] === true,
    }).catch((error: unknown) => {
      throw error instanceof NotFoundError ? this.#noPool(error) : error;
    });
    this.defer(() => client.close());
    return client;
  }

  #noPool(cause: NotFoundError): NotFoundError {
    return new NotFoundError('pool', this.pool, { hint: 'Start a worker in it, or add --create to make it.', cause });
  }

  /** Then `--timeout` is the longest wait for the job. */
  get #waits(): boolean {
    return this.flags.wait === 'started' || this.flags.wait === 'completed';
  }

  #options(): DispatchOptions {
    const { wait, delay, attempts, retries, backoff, keep } = this.flags;
    return {
      wait: wait as DispatchOptions['wait'],
      timeoutMs: this.#waits ? this.settings.timeoutMs?.value : undefined,
      delayMs: delay,
      attempts: attempts ?? (retries === undefined ? undefined : retries + 1),
      backoffMs: backoff,
      retentionMs: keep,
      durability: {
        replicas: this.flags['durability-replicas'],
        timeoutMs: this.flags['durability-timeout'],
      },
    };
  }
}

const PREVIEW_CHARS = 500;

/** For people: what is long or no text is written in full by --raw. */
function preview(result: Buffer): string {
  if (!isUtf8(result)) return `${formatBytes(result.length)}, which --raw writes`;
  const text = result.toString();
  return safeText(text.length > PREVIEW_CHARS ? `${text.slice(0, PREVIEW_CHARS)}… (--raw writes all)` : text);
}
