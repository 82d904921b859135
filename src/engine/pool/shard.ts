/** One shard of a pool, as the scripts see it: every transition is one call here. */
import type { Bytes } from '../core/bytes.ts';
import { InvariantError } from '../core/errors.ts';
import type { TraceContext } from '../core/trace-context.ts';
import type { Connection } from '../redis/connection.ts';
import { translateError } from '../redis/errors.ts';
import type { KeyBytes } from '../redis/keys.ts';
import type { RedisLink } from '../redis/link.ts';
import { type Argument, decodeReply, type Script } from '../redis/script.ts';
import type { LeaseTerms } from './options.ts';
import { PROTOCOL } from './protocol.ts';
import * as scripts from './scripts.gen.ts';
import { type Inputs, type Known, ShardAttachment, type ShardOptions } from './shard-attachment.ts';
import { formatDigest, formatTerms } from './terms.ts';
import { TickBatch } from './tick-batch.ts';

export interface DispatchRequest {
  id: string;
  key: KeyBytes;
  payload: Bytes;
  payloadBytes: number;
  group: string;
  digest: string;
  rememberMs: number | undefined;
  delayMs: number;
  attempts: number;
  backoffMs: number;
  backoffMaxMs: number;
  replyTo: string;
  keepMs: number | undefined;
  worker: string;
  epoch: number;
  capacity: number;
  /** The span that dispatches it. */
  trace?: TraceContext | undefined;
}

/** What the script says about one of the jobs it was given. */
export type DispatchAnswer = Exclude<scripts.DispatchReply, { status: 'DONE' | 'WRONG' | 'LOST' }>;

export interface ReleaseTarget {
  worker: string;
  epoch: number;
  capacity: number;
}

export type SettleOutcome = 'completed' | 'stopped';

/** How long the answer to a stop or notify sent again is known. */
const REQUEST_RETENTION_MS = 60_000;
export const MAX_NOTES = 1000;
/** Of one script. */
const MAX_DISPATCHES = 50;
const MAX_DISPATCH_BYTES = 65_536;

export class Shard {
  readonly pool: string;
  readonly index: number;
  readonly #link: RedisLink;
  readonly #attachment: ShardAttachment;
  readonly #keys: ReturnType<RedisLink['keys']['pool']>;
  readonly #fixed;
  readonly #dispatches: TickBatch<DispatchRequest, DispatchAnswer>;
  #quarantineEndMs = 0;
  #queuedCount = 0;

  private constructor(link: RedisLink, pool: string, index: number, options: ShardOptions) {
    this.#link = link;
    this.pool = pool;
    this.index = index;
    this.#attachment = new ShardAttachment(link, pool, index, options);
    const keys = link.keys.pool(pool, index);
    this.#keys = keys;
    this.#fixed = {
      config: keys.config,
      members: keys.members,
      member_info: keys.memberInfo,
      groups: keys.groups,
      dead: keys.dead,
      ledger: keys.ledger,
      own_prefix: keys.ownedPrefix,
      job_prefix: keys.jobPrefix,
      dead_job_prefix: keys.deadJobPrefix,
      notes_prefix: keys.notesPrefix,
      record_prefix: keys.dispatchPrefix,
      pending_prefix: keys.pendingPrefix,
      aside_prefix: keys.asidePrefix,
    };
    this.#dispatches = new TickBatch({
      send: requests => this.#admit(requests),
      bytesOf: request => request.payloadBytes,
      maxCount: MAX_DISPATCHES,
      maxBytes: MAX_DISPATCH_BYTES,
    });
  }

  /** @throws NotFoundError when it does not exist and is not to be made; ConflictError when its lease terms differ. */
  static async open(link: RedisLink, pool: string, index: number, options: ShardOptions): Promise<Shard> {
    const shard = new Shard(link, pool, index, options);
    await shard.#attachment.attach();
    return shard;
  }

  /** One that exists. @throws NotFoundError */
  static find(link: RedisLink, pool: string, index = 0, protocols = PROTOCOL): Promise<Shard> {
    const defaults = { limit: 0, shards: 1, ledgerLength: 0, deadLimit: 0 };
    const undecided = { create: false, lease: undefined, limit: undefined, shards: undefined };
    return Shard.open(link, pool, index, { ...undecided, protocols, defaults });
  }

  /** Every shard of a pool that exists, in order. @throws NotFoundError */
  static async findAll(link: RedisLink, pool: string, protocols = PROTOCOL): Promise<Shard[]> {
    const first = await Shard.find(link, pool, 0, protocols);
    const others = Array.from({ length: first.shardCount - 1 }, (_, at) => Shard.find(link, pool, at + 1, protocols));
    return [first, ...(await Promise.all(others))];
  }

  get events(): ShardAttachment['events'] {
    return this.#attachment.events;
  }

  /** How many the pool has. */
  get shardCount(): number {
    return this.#attachment.shardCount;
  }

  /** Version of the protocol it speaks. */
  get protocol(): number {
    return this.#attachment.protocol;
  }

  get terms(): LeaseTerms {
    return this.#attachment.terms;
  }

  get generation(): string {
    return this.#attachment.generation;
  }

  /** A key of it: who wants to know where the shard is asks for the place of this. */
  get slotKey(): string {
    return this.#keys.config;
  }

  /** How long nothing is admitted, assigned, moved or reaped, as last heard; 0 outside of a quarantine. */
  get quarantineMs(): number {
    return Math.max(0, this.#quarantineEndMs - this.#link.clock.monotonicMs());
  }

  /** How many jobs waited when the members were last looked at. */
  get queuedCount(): number {
    return this.#queuedCount;
  }

  get channels() {
    const { events, mailbox, replies } = this.#keys;
    return { events, mailbox, replies };
  }

  get link(): RedisLink {
    return this.#link;
  }

  /** Names of the shard's keys. */
  get keys() {
    return this.#keys;
  }

  /** For what lives in the shard beside its jobs, and has scripts of its own. */
  run<K extends Inputs, A extends Inputs & { generation: Argument }, R extends { status: string }>(
    script: Script<K, A, R>,
    keys: K,
    args: Omit<A, 'generation'>,
  ): Promise<Known<R>> {
    return this.#attachment.run(script, keys, args);
  }

  register(worker: string, node: string, incarnation: Argument, info: string, token = 0) {
    const keys = { ...this.#fixed, own: this.#keys.owned(worker) };
    return this.#attachment.run(scripts.registerScript, keys, {
      worker,
      node,
      incarnation,
      info,
      token,
      events: this.#keys.events,
    });
  }

  /** On the connection given, so that it waits behind nothing. */
  renew(connection: Connection, worker: string, incarnation: Argument, health = '') {
    const { events } = this.#keys;
    return this.#attachment.run(scripts.renewScript, this.#fixed, { worker, incarnation, health, events }, connection);
  }

  /** `incarnation`: the worker's own, when it leaves by itself. */
  drain(worker: string, incarnation: Argument = '') {
    const { events, mailboxPrefix } = this.#keys;
    const args = { worker, incarnation, events, mailbox_prefix: mailboxPrefix };
    return this.#attachment.run(scripts.drainScript, this.#fixed, args);
  }

  leave(worker: string, incarnation: Argument) {
    const keys = { ...this.#fixed, own: this.#keys.owned(worker) };
    return this.#attachment.run(scripts.leaveScript, keys, { worker, incarnation, events: this.#keys.events });
  }

  /** `group` is the one whose waiting jobs matter to the caller. */
  async members(worker: string, group: string, knownEpoch: number) {
    const keys = { ...this.#fixed, pending: this.#keys.pending(group) };
    const { events } = this.#keys;
    const reply = await this.#attachment.run(scripts.membersScript, keys, { worker, known_epoch: knownEpoch, events });
    this.#quarantineEndMs = this.#link.clock.monotonicMs() + reply.quarantine_ms;
    // First: who is told of a loss asks how many waited before it.
    this.#attachment.noteServer(reply.server);
    this.#queuedCount = reply.queued;
    return reply;
  }

  /** Leaves with the others of its tick; over a `connection` that is not the link's own, at once and alone. */
  dispatch(request: DispatchRequest, connection?: Connection): Promise<DispatchAnswer> {
    return connection ? this.#dispatchAlone(request, connection) : this.#dispatches.add(request);
  }

  async #dispatchAlone(request: DispatchRequest, connection: Connection): Promise<DispatchAnswer> {
    const [answer] = await this.#admit([request], connection);
    if (answer instanceof Error) throw answer;
    return answer as DispatchAnswer;
  }

  due(group: string, offset: number, count: number) {
    const keys = { ...this.#fixed, pending: this.#keys.pending(group) };
    return this.#attachment.run(scripts.dueScript, keys, { offset, count });
  }

  assign(
    worker: { id: string; incarnation: Argument; group: string; capacity: number },
    epoch: number,
    keys: readonly KeyBytes[],
  ) {
    const { id, incarnation, group, capacity } = worker;
    const inputs = { ...this.#fixed, pending: this.#keys.pending(group), own: this.#keys.owned(id) };
    const { events, repliesPrefix } = this.#keys;
    return this.#attachment.run(scripts.assignScript, inputs, {
      worker: id,
      incarnation,
      epoch,
      capacity,
      events,
      replies_prefix: repliesPrefix,
      job_keys: keys,
    });
  }

  /** `pairs`: key and token it runs under here, empty when it does not run. */
  claim(worker: string, incarnation: Argument, pairs: readonly Argument[]) {
    const keys = { ...this.#fixed, own: this.#keys.owned(worker) };
    return this.#attachment.run(scripts.claimScript, keys, {
      worker,
      incarnation,
      replies_prefix: this.#keys.repliesPrefix,
      events: this.#keys.events,
      pairs,
    });
  }

  /** `items`: key, token, ms after which the attempts are forgotten (empty: never). `notes`: notifications matter. */
  started(worker: string, items: readonly Argument[], notes = true) {
    const { events, repliesPrefix } = this.#keys;
    const args = { worker, items, notes: notes ? 1 : 0, replies_prefix: repliesPrefix, events };
    return this.#attachment.run(scripts.startedScript, this.#fixed, args);
  }

  /** `items`: key, token, outcome, result. */
  settle(worker: string, items: readonly Argument[]) {
    const keys = { ...this.#fixed, own: this.#keys.owned(worker) };
    const { events, repliesPrefix } = this.#keys;
    return this.#attachment.run(scripts.settleScript, keys, { items, replies_prefix: repliesPrefix, events });
  }

  fail(worker: string, key: KeyBytes, token: number, failure: string, random: number, final: boolean) {
    const keys = { ...this.#fixed, own: this.#keys.owned(worker) };
    return this.#attachment.run(scripts.failScript, keys, {
      key,
      token,
      failure,
      random,
      final: final ? 1 : 0,
      replies_prefix: this.#keys.repliesPrefix,
      events: this.#keys.events,
    });
  }

  release(worker: string, key: KeyBytes, token: number, target: ReleaseTarget | undefined, reason: string) {
    const next = target?.worker ?? '';
    const keys = { ...this.#fixed, own: this.#keys.owned(worker), next_own: this.#keys.owned(next) };
    return this.#attachment.run(scripts.releaseScript, keys, {
      key,
      token,
      next,
      epoch: target?.epoch ?? 0,
      capacity: target?.capacity ?? 0,
      reason,
      mailbox_prefix: this.#keys.mailboxPrefix,
      replies_prefix: this.#keys.repliesPrefix,
      events: this.#keys.events,
    });
  }

  /** Opens or closes it for new jobs. */
  gate(open: boolean) {
    return this.#attachment.run(scripts.gateScript, this.#fixed, { open: open ? 1 : 0 });
  }

  raiseProtocol(version: number, dryRun: boolean) {
    const args = { version, dry_run: dryRun ? 1 : 0, events: this.#keys.events };
    return this.#attachment.run(scripts.raiseProtocolScript, this.#fixed, args);
  }

  rebalance() {
    return this.#attachment.run(scripts.rebalanceScript, this.#fixed, { events: this.#keys.events });
  }

  retry(id: string, key: KeyBytes, group: string) {
    const keys = {
      ...this.#fixed,
      pending: this.#keys.pending(group),
      own: this.#keys.owned(''),
      job: this.#keys.job(key),
      record: this.#keys.dispatch(id),
      dead_job: this.#keys.deadJob(key),
    };
    const { mailboxPrefix, events } = this.#keys;
    return this.#attachment.run(scripts.retryScript, keys, { id, key, group, mailbox_prefix: mailboxPrefix, events });
  }

  purge(keys: readonly KeyBytes[]) {
    return this.#attachment.run(scripts.purgeScript, this.#fixed, { job_keys: keys });
  }

  /** `items`: key and the worker group it belongs to from now on. */
  regroup(items: readonly Argument[]) {
    const { events, mailboxPrefix } = this.#keys;
    return this.#attachment.run(scripts.regroupScript, this.#fixed, { items, events, mailbox_prefix: mailboxPrefix });
  }

  stop(id: string, key: KeyBytes, replyTo: string, connection?: Connection) {
    const keys = { ...this.#fixed, record: this.#keys.dispatch(id) };
    const args = {
      id,
      key,
      reply_to: replyTo,
      retention_ms: REQUEST_RETENTION_MS,
      mailbox_prefix: this.#keys.mailboxPrefix,
      replies_prefix: this.#keys.repliesPrefix,
      events: this.#keys.events,
    };
    return this.#attachment.run(scripts.stopScript, keys, args, connection);
  }

  notify(id: string, key: KeyBytes, payload: Argument, connection?: Connection) {
    const keys = {
      ...this.#fixed,
      job: this.#keys.job(key),
      notes: this.#keys.notes(key),
      record: this.#keys.dispatch(id),
    };
    const args = {
      key,
      payload,
      most: MAX_NOTES,
      retention_ms: REQUEST_RETENTION_MS,
      mailbox_prefix: this.#keys.mailboxPrefix,
      events: this.#keys.events,
    };
    return this.#attachment.run(scripts.notifyScript, keys, args, connection);
  }

  /** Drops `handled` notifications of those that a reply gave, as it said `given_in` and `first`, and gives the next ones. */
  takeNotes(key: KeyBytes, token: number, givenIn: string, first: number, handled: number) {
    const keys = { ...this.#fixed, job: this.#keys.job(key), notes: this.#keys.notes(key) };
    const { events } = this.#keys;
    return this.#attachment.run(scripts.takeNotesScript, keys, { token, given_in: givenIn, first, handled, events });
  }

  reap(batch: number, random: number) {
    return this.#attachment.run(scripts.reapScript, this.#fixed, {
      batch,
      random,
      replies_prefix: this.#keys.repliesPrefix,
      events: this.#keys.events,
    });
  }

  /** `items`: key, token, state, attempt, stable ms, group, dispatch, terms, payload. */
  reassert(worker: string, incarnation: Argument, items: readonly Argument[]) {
    const keys = { ...this.#fixed, own: this.#keys.owned(worker) };
    return this.#attachment.run(scripts.reassertScript, keys, {
      worker,
      incarnation,
      events: this.#keys.events,
      items,
    });
  }

  /** `items`: key, dispatch, token, outcome, digest, ms to keep the outcome (empty: a moment), result or failure, attempts. */
  resettle(items: readonly Argument[]) {
    return this.#attachment.run(scripts.resettleScript, this.#fixed, {
      replies_prefix: this.#keys.repliesPrefix,
      items,
    });
  }

  /** Fields of the shard's settings and counters; null where absent. */
  readConfig(...fields: string[]): Promise<(Buffer | null)[]> {
    return this.#link.commands.call('HMGET', this.#keys.config, ...fields) as Promise<(Buffer | null)[]>;
  }

  /** Fields of a job's record; null where absent. */
  readJob(key: KeyBytes, ...fields: string[]): Promise<(Buffer | null)[]> {
    return this.#link.commands.call('HMGET', this.#keys.job(key), ...fields) as Promise<(Buffer | null)[]>;
  }

  /** What is kept of a dispatch or a stop request. */
  readRecord(id: string, ...fields: string[]): Promise<(Buffer | null)[]> {
    return this.#link.commands.call('HMGET', this.#keys.dispatch(id), ...fields) as Promise<(Buffer | null)[]>;
  }

  /** A page of the keys recorded to a worker. */
  async scanOwned(worker: string, cursor: string): Promise<{ next: string; keys: Buffer[] }> {
    const reply = await this.#link.commands.call('SSCAN', this.#keys.owned(worker), cursor, 'COUNT', 500);
    const [next, keys] = reply as [Buffer, Buffer[]];
    return { next: String(next), keys };
  }

  async #admit(requests: readonly DispatchRequest[], connection?: Connection): Promise<(DispatchAnswer | Error)[]> {
    const { mailboxPrefix, events } = this.#keys;
    const items: Argument[] = [];
    for (const request of requests) {
      const { id, key, group, payload, worker, epoch, capacity } = request;
      items.push(id, key, group, payload, formatDigest(request.digest), request.rememberMs ?? '');
      items.push(Math.ceil(request.delayMs), formatTerms(request));
      items.push(worker, epoch, capacity);
    }
    const args = { items, mailbox_prefix: mailboxPrefix, events };
    const reply = await this.#attachment.run(scripts.dispatchScript, this.#fixed, args, connection);
    if (reply.status !== 'DONE') throw new InvariantError(`dispatch answered ${reply.status}`);
    return reply.answers.map(raw => {
      const answer = decodeReply(scripts.dispatchScript, raw) as DispatchAnswer | { status: 'WRONG'; message: string };
      if (answer.status !== 'WRONG') return answer;
      return translateError(new Error(answer.message), { address: this.#link.address });
    });
  }
}
