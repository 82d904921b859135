import { type Clock, within } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { ClosedError, PonosError, ReadOnlyError, RedisUnavailableError } from '../core/errors.ts';
import { decodeText } from '../core/text.ts';
import { type Access, isReadCommand } from './access.ts';
import type { Client } from './client.ts';
import { EngineCommand } from './command.ts';
import { Deadlines } from './deadlines.ts';
import { isReadOnlyReplica, isTimeout, translateError } from './errors.ts';
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
  /** It was closed for good. */
  onClose?: () => void;
}

const NOSCRIPT = /^NOSCRIPT\b/;
/** What a blocking read may take beyond its block before its socket counts as dead. */
const BLOCK_GRACE_MS = 2000;
const QUIT_MS = 500;
const REOPEN_MS = 100;
/** What a ping may take after a command had no reply in time. */
const PROBE_MS = 2000;

/** One connection of one role. Replies carry bulk strings as Buffers; every error is one of ours. */
export class Connection {
  readonly events = new Emitter<ConnectionEvents>();
  readonly #client: Client;
  readonly #options: ConnectionOptions;
  readonly #deadlines: Deadlines;
  #lastError: PonosError | undefined;
  #closed = false;
  #sentCount = 0;
  #session = 0;
  #probing = false;

  constructor(client: Client, options: ConnectionOptions) {
    this.#client = client;
    this.#options = options;
    this.#deadlines = new Deadlines(options.clock);
    client.on('error', (error: unknown) => {
      this.#lastError = translateError(error, { address: options.address });
    });
    // As many callers may wait for the connection to come back as like to.
    client.setMaxListeners(0);
    client.on('ready', () => {
      this.#session++;
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

  /** @throws RedisDeniedError at once, RedisUnavailableError when the attempts are used up. */
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
      const onError = () => {
        if (this.#lastError?.code !== 'REDIS_DENIED') return;
        const denied = this.#lastError;
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
        onError();
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
    const nodes = 'nodes' in this.#client ? this.#client.nodes('master') : [this.#client];
    for (const node of nodes) {
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
    return to.sendCommand(request) as Promise<unknown>;
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
    const [first] = request.name.startsWith('eval') ? [] : request.args;
    const key = typeof first === 'string' || Buffer.isBuffer(first) ? decodeText(Buffer.from(first)) : undefined;
    const translated = translateError(error, { address: this.#options.address, command, sent, key });
    if (sent && isTimeout(error)) this.#probe();
    // The master of before: what led here leads to the new one by now, or soon.
    if (isReadOnlyReplica(error) && this.ready) this.reconnect();
    // "The connection is closed" says less than why it could not be opened.
    if (translated instanceof RedisUnavailableError && !sent && this.#lastError) return this.#lastError;
    return translated;
  }

  /** A command without a reply: the server may be slow, or the socket half-open. A ping tells them apart. */
  #probe(): void {
    if (this.#probing || this.#closed || !this.ready) return;
    this.#probing = true;
    const over = within(this.#options.clock, PROBE_MS, this.#send(this.#request('ping', [])), () => this.reconnect());
    over
      .catch(() => this.reconnect())
      .finally(() => {
        this.#probing = false;
      });
  }

  #unavailable(): PonosError {
    return this.#lastError ?? new RedisUnavailableError(`Redis at ${this.#options.address} closed the connection`);
  }
}
