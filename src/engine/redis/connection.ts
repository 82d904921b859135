import type { Redis } from 'ioredis';
import { backoffMs } from '../core/backoff.ts';
import { type Clock, sleep, within } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import {
  ClosedError,
  PonosError,
  ReadOnlyError,
  RedisDeniedError,
  RedisUnavailableError,
  UnsafeServerError,
} from '../core/errors.ts';
import { decodeText } from '../core/text.ts';
import { type Access, isReadCommand } from './access.ts';
import type { Client } from './client.ts';
import { EngineCommand } from './command.ts';
import { Deadlines } from './deadlines.ts';
import { isDatabaseRefusal, isForeign, isLost, isReadOnlyReplica, isTimeout, translateError } from './errors.ts';
import { type Argument, decodeReply, type Script, scriptOperands } from './script.ts';
import { nodeName } from './slot-map.ts';
import type { RedisNode } from './url.ts';

type Inputs = Record<string, Argument | readonly Argument[]>;

export interface ConnectionEvents {
  /** Commands can be sent: after the first connect and after each reconnect. */
  ready: undefined;
  /** The socket is gone; a reconnect is under way. */
  lost: PonosError;
}

export interface ConnectionOptions {
  address: string;
  access: Access;
  clock: Clock;
  /** In a cluster: how long a command that reached nobody, because a node is gone, follows its slot to another. */
  followMs?: number | undefined;
  /** It was closed for good. */
  onClose?: () => void;
}

const NOSCRIPT = /^NOSCRIPT\b/;
/** Commands whose first argument says what to do with the key behind it. */
const CONTAINERS = new Set(['memory', 'object', 'xgroup', 'xinfo']);
/** What a blocking read may take beyond its block before its socket counts as dead. */
const BLOCK_GRACE_MS = 2000;
const QUIT_MS = 500;
const REOPEN_MS = 100;
const FOLLOW = { baseMs: 20, maxMs: 200 };
/** What a ping may take after a command had no reply in time. */
const PROBE_MS = 2000;

/** One connection of one role. Replies carry bulk strings as Buffers; every error is one of ours. */
export class Connection {
  readonly events = new Emitter<ConnectionEvents>();
  readonly #client: Client;
  readonly #options: ConnectionOptions;
  readonly #deadlines: Deadlines;
  #lastError: PonosError | undefined;
  /** The database is not there: the socket is about to close. */
  #refused = false;
  #closed = false;
  #sentCount = 0;
  #session = 0;
  #probing = false;
  /** For each slot whose node is gone: whether a command sent again has an answer. */
  readonly #scouts = new Map<number, Promise<boolean>>();

  constructor(client: Client, options: ConnectionOptions) {
    this.#client = client;
    this.#options = options;
    this.#deadlines = new Deadlines(options.clock);
    client.on('error', (error: unknown) => {
      // What follows from our leaving says less than why.
      if (this.#refused) return;
      this.#lastError = translateError(error, { address: options.address });
      this.#refused = isDatabaseRefusal(error);
      // Before it is ready, so nothing was sent yet.
      if (this.#refused) this.reconnect();
    });
    client.on('close', () => {
      this.#refused = false;
    });
    // As many callers may wait for the connection to come back as like to.
    client.setMaxListeners(0);
    client.on('ready', () => {
      this.#session++;
      this.#lastError = undefined;
      this.events.emit('ready', undefined);
    });
    client.on('end', () => this.#reopen());
    client.on('close', () => {
      if (!this.#closed) this.events.emit('lost', this.#unavailable());
    });
  }

  get ready(): boolean {
    return this.#client.status === 'ready';
  }

  /** Commands handed to the client so far: what whoever keeps a budget of commands counts. */
  get sentCount(): number {
    return this.#sentCount;
  }

  /** Another number after each reconnect. */
  get session(): number {
    return this.#session;
  }

  /** The client itself, for this module alone. */
  get client(): Client {
    return this.#client;
  }

  /**
   * @throws RedisDeniedError and UnsafeServerError at once, RedisUnavailableError when the attempts are used up, or at once
   *   when what answers is no Redis: it may hang up on the next attempt, which says less.
   */
  async open(): Promise<void> {
    const client = this.#client;
    await new Promise<void>((resolve, reject) => {
      const settle = (act: () => void) => {
        client.off('ready', onReady);
        client.off('end', onEnd);
        client.off('error', onError);
        act();
      };
      const onReady = () => settle(resolve);
      const onEnd = () => settle(() => reject(this.#unavailable()));
      const onError = (error: unknown) => {
        const denied = this.#lastError;
        const isFinal = denied instanceof RedisDeniedError || denied instanceof UnsafeServerError || isForeign(error);
        if (!denied || !isFinal) return;
        settle(() => {
          this.close().catch(() => {});
          reject(denied);
        });
      };
      client.on('ready', onReady);
      client.on('end', onEnd);
      client.on('error', onError);
      // The promise of connect() settles on the first attempt; what counts is ready or end, after the retries.
      client.connect().catch((error: unknown) => {
        this.#lastError ??= translateError(error, { address: this.#options.address });
        onError(error);
      });
    });
  }

  /** Sends one command. Replies hold Buffers for bulk strings. */
  call(command: string, ...args: Argument[]): Promise<unknown> {
    return this.callWith(command, args);
  }

  /** The same with the operands in an array, which is the client's from then on. Written for the hot paths. */
  callWith(command: string, args: Argument[]): Promise<unknown> {
    try {
      this.#allow(command);
    } catch (error) {
      return Promise.reject(error);
    }
    const request = this.#request(command, args);
    return this.#send(request).catch(error => {
      throw this.#translate(error, command, request);
    });
  }

  /** Sends one command to that node of a cluster, whatever slot it has. Without a node as `call`. */
  async callAt(node: RedisNode | undefined, command: string, ...args: Argument[]): Promise<unknown> {
    if (!node || !('nodes' in this.#client)) return this.call(command, ...args);
    this.#allow(command);
    const at = this.#client
      .nodes('all')
      .find(({ options }) => options.host === node.host && options.port === node.port);
    if (!at) throw new RedisUnavailableError(`${nodeName(node)} is no node of the cluster`);
    return this.#sendTo(at, command, args);
  }

  /** Where keys are, for `callAt`: the masters of a cluster, else `undefined` for the server there is. */
  masters(): (RedisNode | undefined)[] {
    if (!('nodes' in this.#client)) return [undefined];
    return this.#client.nodes('master').map(({ options: { host = '', port = 0 } }) => ({ host, port }));
  }

  /** Sends several commands together; each settles on its own. */
  callMany(commands: readonly (readonly [string, ...Argument[]])[]): Promise<PromiseSettledResult<unknown>[]> {
    return Promise.allSettled(commands.map(([command, ...args]) => this.call(command, ...args)));
  }

  /**
   * Names of the keys that match, page by page, from every node that holds keys. A key that stays is given at least once;
   * one that comes or goes meanwhile may be.
   */
  async *scanKeys(pattern: string, count = 1000): AsyncGenerator<Buffer[]> {
    this.#allow('SCAN');
    for (const node of 'nodes' in this.#client ? this.#client.nodes('master') : [this.#client]) {
      for (let cursor = '0'; ; ) {
        const [next, names] = (await this.#sendTo(node, 'SCAN', [cursor, 'MATCH', pattern, 'COUNT', count])) as [
          Buffer,
          Buffer[],
        ];
        if (names.length > 0) yield names;
        cursor = String(next);
        if (cursor === '0') break;
      }
    }
  }

  /** Runs a script by its digest, and loads it when Redis does not have it. */
  async run<K extends Inputs, A extends Inputs, R>(script: Script<K, A, R>, keys: K, args: A): Promise<R> {
    this.#allow(script.name);
    const operands = scriptOperands(script, keys, args);
    let request = this.#request('evalsha', [script.sha1, ...operands]);
    try {
      return decodeReply(script, await this.#send(request));
    } catch (error) {
      if (!(error instanceof Error && NOSCRIPT.test(error.message))) throw this.#translate(error, script.name, request);
    }
    request = this.#request('eval', [script.source, ...operands]);
    try {
      return decodeReply(script, await this.#send(request));
    } catch (error) {
      throw this.#translate(error, script.name, request);
    }
  }

  /**
   * A read that may block in Redis for `blockMs`. When no reply comes within that and a grace the socket counts as
   * half-open: it is dropped and the read fails, so that a reader notices a dead peer no other way would show.
   */
  async callBlocking(blockMs: number, command: string, ...args: Argument[]): Promise<unknown> {
    if (this.#closed) throw new ClosedError('connection');
    return within(this.#options.clock, blockMs + BLOCK_GRACE_MS, this.call(command, ...args), () => {
      this.#client.disconnect(true);
      throw new RedisUnavailableError(`no reply to ${command} from ${this.#options.address}`, { uncertain: true });
    });
  }

  /** Resolves when commands can be sent, or at once when closed; check `ready` afterwards. */
  async whenReady(signal?: AbortSignal): Promise<void> {
    if (this.ready || this.#closed || signal?.aborted) return;
    await new Promise<void>(resolve => {
      const done = () => {
        off();
        this.#client.off('end', done);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const off = this.events.on('ready', done);
      this.#client.once('end', done);
      signal?.addEventListener('abort', done, { once: true });
    });
  }

  /**
   * Somebody waits for long and hears nothing: drops the socket and connects again. Not in a cluster, where it would be
   * the sockets of all nodes; the silent one is found by a ping once the time of a command is over.
   */
  dropSilent(): void {
    if (!('nodes' in this.#client)) this.reconnect();
  }

  /** Drops the socket and connects again. */
  reconnect(): void {
    if (!this.#closed) this.#client.disconnect(true);
  }

  /** Ends the connection. Commands under way are answered first if Redis answers soon; a blocking read is cut off. */
  async close(options: { graceful?: boolean } = {}): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.onClose?.();
    if (options.graceful && this.ready) {
      await within(this.#options.clock, QUIT_MS, this.#client.quit(), () => undefined).catch(() => {});
    }
    if (this.#client.status !== 'end') this.#client.disconnect();
  }

  /** The client gives up for good when it is told of another master while it asks for the present one. */
  #reopen(): void {
    if (this.#closed || this.#session === 0) return;
    const reopen = () => {
      if (!this.#closed && this.#client.status === 'end') this.#client.connect().catch(() => {});
    };
    this.#options.clock.after(REOPEN_MS, reopen, { ref: false });
  }

  #request(command: string, args: Argument[]): EngineCommand {
    return new EngineCommand(this.#deadlines, command.toLowerCase(), args as (string | Buffer | number)[]);
  }

  #send(request: EngineCommand, to: Pick<Client, 'sendCommand'> = this.#client): Promise<unknown> {
    this.#sentCount++;
    const reply = to.sendCommand(request) as Promise<unknown>;
    const { followMs } = this.#options;
    if (followMs === undefined || to !== this.#client) return reply;
    return reply.catch((error: unknown) => this.#follow(request, error, followMs));
  }

  /**
   * A replica may be about to take over. What was written is never sent again: it may have been carried out. Of all that
   * wait for one slot one asks for it, and the others go when that has an answer.
   */
  async #follow(request: EngineCommand, failure: unknown, limitMs: number): Promise<unknown> {
    const { clock } = this.#options;
    const endMs = clock.monotonicMs() + limitMs;
    const slot = request.getSlot() ?? -1;
    let error = failure;
    for (let attempt = 1; ; attempt++) {
      const isOver = this.#closed || !this.ready || clock.monotonicMs() > endMs;
      if (isOver || request.written || !isLost(error)) throw error;
      const scout = this.#scouts.get(slot);
      if (scout && !(await scout)) continue;
      const pause = scout ? Promise.resolve() : sleep(clock, backoffMs(attempt, FOLLOW));
      const sent = pause.then(() => this.#sendAgain(request));
      if (!scout) this.#scout(slot, sent);
      try {
        return await sent;
      } catch (next) {
        error = next;
      }
    }
  }

  #sendAgain(request: EngineCommand): Promise<unknown> {
    this.#sentCount++;
    return this.#client.sendCommand(request.again()) as Promise<unknown>;
  }

  #scout(slot: number, sent: Promise<unknown>): void {
    const answered = sent
      .then(
        () => true,
        error => !isLost(error),
      )
      .finally(() => this.#scouts.delete(slot));
    this.#scouts.set(slot, answered);
  }

  async #sendTo(node: Pick<Client, 'sendCommand'>, command: string, args: Argument[]): Promise<unknown> {
    const request = this.#request(command, args);
    try {
      return await this.#send(request, node);
    } catch (error) {
      throw this.#translate(error, command, request);
    }
  }

  #allow(what: string): void {
    if (this.#closed) throw new ClosedError('connection');
    if (this.#options.access === 'read-only' && !isReadCommand(what)) throw new ReadOnlyError(what);
  }

  #translate(error: unknown, command: string, request: EngineCommand): PonosError {
    if (this.#closed && !(error instanceof PonosError)) return new ClosedError('connection');
    const sent = request.written;
    const translated = translateError(error, { address: this.#options.address, command, sent, key: keyOf(request) });
    if (sent && isTimeout(error)) this.#probe(request.node);
    // The master of before: what led here leads to the new one by now, or soon.
    if (isReadOnlyReplica(error) && this.ready) this.reconnect();
    // "The connection is closed" says less than why it could not be opened.
    if (translated instanceof RedisUnavailableError && !sent && this.#lastError) return this.#lastError;
    return translated;
  }

  /** A command without a reply: the server, or that node, may be slow, or the socket half-open. A ping tells them apart. */
  #probe(node: Redis | undefined): void {
    if (this.#probing || this.#closed || !this.ready) return;
    this.#probing = true;
    // The client of a cluster connects to a node anew when there is a command for it.
    const drop = () => (node ? node.disconnect() : this.reconnect());
    const over = within(this.#options.clock, PROBE_MS, this.#send(this.#request('ping', []), node), drop);
    over.catch(drop).finally(() => {
      this.#probing = false;
    });
  }

  #unavailable(): PonosError {
    return this.#lastError ?? new RedisUnavailableError(`Redis at ${this.#options.address} closed the connection`);
  }
}

/** The first key a command is about. Of a script none: it says itself which it means. */
function keyOf({ name, args }: EngineCommand): string | undefined {
  if (name.startsWith('eval')) return undefined;
  const streams = name.startsWith('xread') ? args.findIndex(arg => String(arg).toUpperCase() === 'STREAMS') : -1;
  const key = args[CONTAINERS.has(name) ? 1 : streams + 1];
  return typeof key === 'string' || Buffer.isBuffer(key) ? decodeText(Buffer.from(key)) : undefined;
}
