import { hash } from 'node:crypto';
import { backoffMs } from '../core/backoff.ts';
import { type Bytes, byteLength } from '../core/bytes.ts';
import { sleep } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import {
  ArgumentError,
  ClosedError,
  ConflictError,
  FullError,
  HandlerError,
  NotFoundError,
  QuarantineError,
  RedisUnavailableError,
  TooLargeError,
} from '../core/errors.ts';
import { newId } from '../core/ids.ts';
import { type OptionInput, resolveOptions } from '../core/options.ts';
import type { TraceContext } from '../core/trace-context.ts';
import type { Connection } from '../redis/connection.ts';
import type { Durability, Replicated } from '../redis/durable.ts';
import type { RedisLink } from '../redis/link.ts';
import { requireAdmitted } from './admission.ts';
import { type DurabilityOption, requireReplicas, resolveDurability } from './durability.ts';
import { type JobKeyForm, jobKeyForm } from './job-key.ts';
import { clientOptions, type DispatchSettings, dispatchOptions, type PoolClientOptions } from './options.ts';
import { type Outcome, Outcomes } from './outcomes.ts';
import { hasRoom } from './placement.ts';
import { PoolView } from './pool-view.ts';
import type { Route } from './routes.ts';
import { type DispatchRequest, MAX_NOTES, type Shard } from './shard.ts';
import type { ShardView, StateLoss } from './shard-view.ts';
import { dispatched, dispatchSpan } from './tracing.ts';

/** How far a dispatch waits: until Redis has the job, until a worker runs it, or until it ended. */
export type WaitLevel = 'accepted' | 'started' | 'completed';

export interface DispatchOptions extends OptionInput<typeof dispatchOptions> {
  /** The same id gets the same answer for as long as outcomes are kept; another payload or key is a conflict. */
  id?: string | undefined;
  wait?: WaitLevel | undefined;
  /** Replicas it must reach; what is left out is as the client has it. */
  durability?: DurabilityOption | undefined;
}

export interface DispatchResult {
  id: string;
  key: string;
  status: WaitLevel;
  /** Who has the job; absent while it waits. */
  worker?: string;
  token?: number;
  /** What the task gave, when waited for. */
  result?: Buffer;
}

export interface StopOptions {
  id?: string | undefined;
  /** Resolve when the job has stopped instead of when the request is recorded. */
  wait?: boolean | undefined;
  timeoutMs?: number | undefined;
  durability?: DurabilityOption | undefined;
}

export interface NotifyOptions {
  id?: string | undefined;
  /** Longest wait for a pool that lost something to know its jobs again. */
  timeoutMs?: number | undefined;
  durability?: DurabilityOption | undefined;
}

export interface StopResult {
  /** `stopped`: it is gone. `stopping`: its worker was told. */
  status: 'stopped' | 'stopping';
  worker?: string;
}

export interface JobLocation {
  /** Recorded owner, or who would own it now; null when nobody would. */
  worker: string | null;
  /** Who should have it by the present members of the group; another than `worker` while the job is about to move. */
  preferred: string | null;
  group: string;
  /** True when there is such a job. */
  recorded: boolean;
}

export interface PoolClientEvents {
  /**
   * Redis may have lost something of the pool: it was flushed, or another server or a restarted one answers. Workers assert
   * the jobs they run; nothing is admitted for one lease. Jobs that waited and were not replicated are gone.
   */
  stateLost: StateLoss;
  /** A step in the background failed; it is tried again. */
  error: unknown;
}

const MAX_SENDS = 4;
const SEND_AGAIN = { baseMs: 50, maxMs: 1000 };
const QUARANTINE_JITTER_MS = 50;
const MAX_ID_BYTES = 128;

/** Dispatches to a pool and hosts no worker. Safe for any number of calls at once. */
export class PoolClient {
  readonly events = new Emitter<PoolClientEvents>();
  protected readonly view: PoolView;
  /** Identifies this process in the pool. */
  readonly id: string;
  readonly #outcomes: Outcomes;
  readonly #maxPayloadBytes: number;
  readonly #durability: Durability;
  #closed: Promise<void> | undefined;

  protected constructor(view: PoolView, id: string, maxPayloadBytes: number, durability: Durability) {
    this.view = view;
    this.id = id;
    this.#maxPayloadBytes = maxPayloadBytes;
    this.#durability = durability;
    const onError = (error: unknown) => this.events.emit('error', error);
    this.#outcomes = new Outcomes(view.link, id, onError);
    view.events.on('error', onError);
    view.events.on('stateLost', loss => this.events.emit('stateLost', loss));
  }

  /**
   * @throws NotFoundError unless the pool exists or is to be made; UnsafeServerError UNSAFE_EVICTION_POLICY;
   * ConflictError LEASE_MISMATCH, PROTOCOL_MISMATCH; OptionError, ArgumentError, RedisUnavailableError, RedisDeniedError.
   */
  static async open(link: RedisLink, pool: string, options: PoolClientOptions = {}): Promise<PoolClient> {
    const { lease, durability, protocols, ...rest } = options;
    const settings = resolveOptions('PoolClient', clientOptions, rest);
    const safety = resolveDurability(durability);
    const view = await PoolView.open(link, pool, {
      ...settings,
      lease,
      limit: rest.limit,
      shards: rest.shards,
      protocols,
    });
    return new PoolClient(view, newId(), settings.maxPayloadBytes, safety);
  }

  get pool(): string {
    return this.view.pool;
  }

  /**
   * Starts a job under `key`. One round trip; never fails for lack of workers: the job waits for one of its group.
   * @throws ExistsError when the key has a job; FullError POOL_FULL; ConflictError when the id was used for something
   * else, or JOB_STOPPED when the job awaited was stopped; HandlerError when it ended dead; TimeoutError (the job stands);
   * QuarantineError when Redis lost something and the wait would be too long; NotReplicatedError (the job stands, on too
   * few replicas); TooLargeError; RedisUnavailableError, with `uncertain` the job may be there: send it again with the same id.
   */
  dispatch(key: string, payload: Bytes = '', options: DispatchOptions = {}): Promise<DispatchResult> {
    const { tracer } = this.view.link;
    if (!tracer) return this.#dispatch(key, payload, options);
    return tracer.around(
      () => dispatchSpan(this.pool, key, payload),
      span => this.#dispatch(key, payload, options, span.context),
      dispatched,
    );
  }

  async #dispatch(
    key: string,
    payload: Bytes,
    options: DispatchOptions,
    trace?: TraceContext | undefined,
  ): Promise<DispatchResult> {
    this.#open();
    const { id: givenId, wait = 'accepted', durability: wanted, ...rest } = options;
    const durability = resolveDurability(wanted, this.#durability);
    const settings = resolveOptions('dispatch', dispatchOptions, rest);
    const form = jobKeyForm(key);
    const view = this.view.at(form.hash);
    this.#checkPayload(payload);
    const id = givenId === undefined ? newId() : checkId(givenId);
    // The id of one that reached too few replicas, or whose outcome is to be kept, is told and may come again.
    const mayRepeat = givenId !== undefined || durability.replicas > 0 || rest.retentionMs !== undefined;
    const request = this.#request(view, id, form, key, payload, mayRepeat, wait, settings, trace);
    if (wait === 'accepted') {
      const { status, worker, token } = await this.#send(view, key, request, durability, settings.timeoutMs);
      return status === 'ASSIGNED' || status === 'ENDED'
        ? { id, key, status: wait, worker, token }
        : { id, key, status: wait };
    }
    const { shard } = view;
    if (!this.#outcomes.listensTo(shard)) await this.#outcomes.listen(shard);
    const until = wait === 'started' ? 'started' : 'ended';
    const what = `job "${key}" to be ${wait}`;
    const outcome = this.#outcomes.wait({ id, key: form.bytes, shard, until, timeoutMs: settings.timeoutMs, what });
    // It may settle before the reply to the dispatch is here.
    outcome.catch(() => {});
    try {
      await this.#send(view, key, request, durability, settings.timeoutMs);
      if (givenId !== undefined) await this.#outcomes.check(id);
    } catch (error) {
      this.#outcomes.cancel(id);
      throw error;
    }
    return this.#result(id, key, wait, await outcome);
  }

  /**
   * Ends a job. Resolves when that is recorded: a job that waits is gone then, the owner of another is told and the
   * request survives its crash. A job that is not there while Redis may have lost something is waited for.
   * @throws NotFoundError when the key has no job; TimeoutError when waited for too long; QuarantineError when Redis lost
   * something and the wait would be too long; RedisUnavailableError.
   */
  async stop(key: string, options: StopOptions = {}): Promise<StopResult> {
    this.#open();
    const { id: givenId, wait = false, timeoutMs = dispatchOptions.timeoutMs.default } = options;
    const durability = resolveDurability(options.durability, this.#durability);
    const id = givenId === undefined ? newId() : checkId(givenId);
    const { bytes, hash: place } = jobKeyForm(key);
    const { shard } = this.view.at(place);
    const request = async (replyTo: string) => {
      const send = (to?: Connection) => shard.stop(id, bytes, replyTo, to);
      const { result, replicas } = await this.#afterQuarantine(shard, durability, timeoutMs, send);
      const stopped = stopResult(key, result);
      requireReplicas(`the stop of job "${key}"`, id, replicas, durability);
      return stopped;
    };
    if (!wait) return request('');
    await this.#outcomes.listen(shard);
    const what = `job "${key}" to stop`;
    const outcome = this.#outcomes.wait({ id, key: bytes, shard, until: 'ended', timeoutMs, what });
    outcome.catch(() => {});
    try {
      const result = await request(this.#outcomes.node);
      if (result.status === 'stopped') this.#outcomes.cancel(id);
      else await outcome;
      return { ...result, status: 'stopped' };
    } catch (error) {
      this.#outcomes.cancel(id);
      throw error;
    }
  }

  /**
   * Sends bytes to the handler of a job. In order per job; delivered at least once while the job exists.
   * @throws NotFoundError when the key has no job; FullError NOTES_FULL; TooLargeError; QuarantineError when Redis lost
   * something and the wait would be too long; RedisUnavailableError.
   */
  async notify(key: string, payload: Bytes, options: NotifyOptions = {}): Promise<void> {
    this.#open();
    const { bytes, hash: place } = jobKeyForm(key);
    const { shard } = this.view.at(place);
    this.#checkPayload(payload);
    const id = options.id === undefined ? newId() : checkId(options.id);
    const durability = resolveDurability(options.durability, this.#durability);
    const { timeoutMs = dispatchOptions.timeoutMs.default } = options;
    const send = (to?: Connection) => shard.notify(id, bytes, payload, to);
    const { result: reply, replicas } = await this.#afterQuarantine(shard, durability, timeoutMs, send);
    if (reply.status === 'ABSENT') throw new NotFoundError('job', key);
    if (reply.status === 'FULL') {
      throw new FullError(
        'NOTES_FULL',
        `job "${key}" has ${reply.count} notifications waiting, the most is ${MAX_NOTES}`,
      );
    }
    requireReplicas(`the notification of job "${key}"`, id, replicas, durability);
  }

  /** Where the job of a key is, or where it would go. */
  async where(key: string): Promise<JobLocation> {
    this.#open();
    const { bytes, hash: place } = jobKeyForm(key);
    const { shard, membership } = this.view.at(place);
    const [state, worker, recordedGroup] = await shard.readJob(bytes, 'state', 'worker', 'group');
    const group = state ? String(recordedGroup) : this.view.routes.groupOf(key);
    const preferred = membership.placement.pick(place, group)?.id ?? null;
    if (worker) return { worker: String(worker), preferred, group, recorded: true };
    return { worker: preferred, preferred, group, recorded: state !== null };
  }

  /** Worker a job is recorded to, or undefined. */
  async owner(key: string): Promise<string | undefined> {
    const { bytes, hash: place } = jobKeyForm(key);
    const [worker] = await this.view.at(place).shard.readJob(bytes, 'worker');
    return worker ? String(worker) : undefined;
  }

  /** Rules by which job keys belong to worker groups. They apply to dispatches from then on. */
  get routes(): {
    list(): readonly Route[];
    groupOf(key: string): string;
    add(route: Route, position?: number): Promise<void>;
    remove(glob: string): Promise<void>;
  } {
    return this.view.routes;
  }

  close(): Promise<void> {
    this.#closed ??= this.end();
    return this.#closed;
  }

  protected async end(): Promise<void> {
    await this.#outcomes.close();
    await this.view.close();
  }

  #open(): void {
    if (this.#closed) throw new ClosedError(`pool "${this.pool}"`);
  }

  #checkPayload(payload: Bytes): void {
    const sizeBytes = byteLength(payload);
    if (sizeBytes > this.#maxPayloadBytes) throw new TooLargeError('PAYLOAD', sizeBytes, this.#maxPayloadBytes);
  }

  #request(
    { membership }: ShardView,
    id: string,
    form: JobKeyForm,
    key: string,
    payload: Bytes,
    mayRepeat: boolean,
    wait: WaitLevel,
    settings: DispatchSettings,
    trace: TraceContext | undefined,
  ): DispatchRequest {
    const group = this.view.routes.groupOf(key);
    const seat = settings.delayMs > 0 ? undefined : membership.placement.pick(form.hash, group, hasRoom);
    const { delayMs, attempts, backoffMs: firstMs, backoffMaxMs, retentionMs } = settings;
    return {
      id,
      key: form.bytes,
      payload,
      payloadBytes: byteLength(payload),
      group,
      // An id of ours is never used for anything else.
      digest: mayRepeat ? hash('sha1', payload) : '',
      rememberMs: mayRepeat ? retentionMs : undefined,
      delayMs,
      attempts,
      backoffMs: firstMs,
      backoffMaxMs,
      replyTo: wait === 'accepted' ? '' : this.#outcomes.node,
      keepMs: mayRepeat || wait === 'completed' ? retentionMs : undefined,
      worker: seat?.id ?? '',
      epoch: membership.epoch,
      capacity: seat?.capacity ?? 0,
      trace,
    };
  }

  async #send(
    view: ShardView,
    key: string,
    request: DispatchRequest,
    durability: Durability,
    timeoutMs: number,
  ): Promise<
    | { status: 'ASSIGNED' | 'ENDED'; worker: string; token: number }
    | { status: 'PENDING'; worker?: never; token?: never }
  > {
    const { shard } = view;
    const send = (to?: Connection) => shard.dispatch(request, to);
    const { result, replicas } = await this.#afterQuarantine(shard, durability, timeoutMs, send);
    const reply = requireAdmitted(this.pool, key, request.id, result);
    const { membership } = view;
    if (reply.epoch !== membership.epoch) view.heard(reply.epoch);
    else if (request.worker !== '') {
      const seat = membership.placement.seat(request.worker);
      // Not taken at its own epoch: full, as far as is known, until the next look.
      if (seat) seat.owned = reply.status === 'PENDING' ? seat.capacity : seat.owned + 1;
    }
    requireReplicas(`the dispatch of job "${key}"`, request.id, replicas, durability);
    return reply;
  }

  /** Sends again while the answer is that nothing is sure yet. @throws QuarantineError when that is too long. */
  async #afterQuarantine<Reply extends { status: string }>(
    shard: Shard,
    durability: Durability,
    timeoutMs: number,
    send: (connection?: Connection) => Promise<Reply>,
  ): Promise<Replicated<Exclude<Reply, Quarantined>>> {
    const { clock } = this.view.link;
    const endMs = clock.monotonicMs() + timeoutMs;
    for (;;) {
      const { result, replicas } = await this.#change(shard, durability, send);
      if (!isQuarantined(result)) return { result: result as Exclude<Reply, Quarantined>, replicas };
      // The clock of a shard runs when it is asked, a step at a time: where no worker is, nobody else asks.
      const stepMs = Math.min(result.left_ms, shard.terms.clampMs);
      const waitMs = stepMs + Math.random() * QUARANTINE_JITTER_MS;
      if (this.#closed || clock.monotonicMs() + waitMs > endMs) throw new QuarantineError(this.pool, result.left_ms);
      await sleep(clock, waitMs);
    }
  }

  #result(id: string, key: string, status: WaitLevel, outcome: Outcome): DispatchResult {
    const { kind, worker, token, body } = outcome;
    if (kind === 'dead') throw new HandlerError(`job "${key}" failed at its last attempt: ${body.toString()}`);
    if (kind === 'stopped') throw new ConflictError(`job "${key}" was stopped`, { code: 'JOB_STOPPED' });
    if (status === 'started') return { id, key, status, worker, token };
    return { id, key, status, worker, token, result: body };
  }

  /**
   * Sends a request, and again what may have been lost with its reply: the id makes that harmless. When replicas matter,
   * over the connection that counts them.
   */
  async #change<T>(
    shard: Shard,
    durability: Durability,
    send: (connection?: Connection) => Promise<T>,
  ): Promise<Replicated<T>> {
    const { link } = this.view;
    for (let attempt = 1; ; attempt++) {
      try {
        if (durability.replicas > 0) return await link.durable.run(shard.slotKey, send, durability);
        return { result: await send(), replicas: 0 };
      } catch (error) {
        const again = error instanceof RedisUnavailableError && error.uncertain && attempt < MAX_SENDS;
        if (!again || this.#closed) throw error;
        await sleep(link.clock, backoffMs(attempt, SEND_AGAIN));
      }
    }
  }
}

interface Quarantined {
  status: 'QUARANTINE';
  left_ms: number;
}

function isQuarantined(reply: { status: string }): reply is Quarantined {
  return reply.status === 'QUARANTINE';
}

function stopResult(key: string, reply: { status: string; worker?: string }): StopResult {
  if (reply.status === 'ABSENT') throw new NotFoundError('job', key);
  if (reply.status === 'STOPPED') return { status: 'stopped' };
  return { status: 'stopping', worker: reply.worker ?? '' };
}

function checkId(id: string): string {
  if (typeof id !== 'string' || !/^[\x21-\x7e]+$/.test(id) || id.length > MAX_ID_BYTES) {
    throw new ArgumentError(`id ${JSON.stringify(id)} is not allowed`, {
      hint: `An id has 1 to ${MAX_ID_BYTES} printable ASCII characters without spaces.`,
    });
  }
  return id;
}
