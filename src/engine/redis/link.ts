import { Cluster } from 'ioredis';
import { type Clock, systemClock, within } from '../core/clock.ts';
import { RedisUnavailableError, UnsafeServerError } from '../core/errors.ts';
import { type OptionInput, type OptionTable, resolveOptions } from '../core/options.ts';
import { type Telemetry, Tracer } from '../core/telemetry.ts';
import type { Access } from './access.ts';
import { BlockingConnection } from './blocking.ts';
import { type ClientSettings, createClient, type Role, type TlsOptions } from './client.ts';
import { ClusterSubscriptions } from './cluster-subscriptions.ts';
import { Connection } from './connection.ts';
import { DurableWriter } from './durable.ts';
import { KeySpace } from './keys.ts';
import { Registry } from './registry.ts';
import type { Argument } from './script.ts';
import { nodeName, SlotMap, slotOf } from './slot-map.ts';
import { ServerSubscriptions, type Subscriptions } from './subscriptions.ts';
import { DEFAULT_REDIS_URL, parseRedisUrl, type RedisNode, redactUrl } from './url.ts';

export const linkOptions = {
  commandTimeoutMs: {
    kind: 'ms',
    default: 5000,
    min: 50,
    max: 600_000,
    doc: 'Longest wait for the reply to a command.',
  },
  connectTimeoutMs: { kind: 'ms', default: 3000, min: 50, max: 600_000, doc: 'Longest wait for a socket to open.' },
  connectAttempts: {
    kind: 'count',
    default: 3,
    min: 1,
    max: 1000,
    doc: 'Attempts to connect the first time. A connection lost later is opened again for ever.',
  },
} as const satisfies OptionTable;

export interface RedisLinkOptions extends OptionInput<typeof linkOptions> {
  /** `redis://`, `rediss://`, `unix://`, `redis+sentinel://` or `redis+cluster://`; default `redis://127.0.0.1:6379`. */
  url?: string | undefined;
  /** Overrides the user of the address. */
  username?: string | undefined;
  /** Overrides the password of the address. */
  password?: string | undefined;
  tls?: TlsOptions | undefined;
  /** First part of every key name; default `ponos`. */
  prefix?: string | undefined;
  /** Shown by CLIENT LIST; default `ponos`. */
  clientName?: string | undefined;
  /** With `read-only` every command that may write is refused before it is sent; default `read-write`. */
  access?: Access | undefined;
  clock?: Clock | undefined;
  /** Told of what is done on the link; default nobody, which costs nothing. */
  telemetry?: Telemetry | undefined;
}

const OLDEST_SERVER = [7, 0] as const;

/**
 * A process's link to one Redis: its connections by role, opened when first used, and the names of its keys.
 * Everything in the engine is made on one.
 */
export class RedisLink {
  readonly keys: KeySpace;
  readonly clock: Clock;
  readonly access: Access;
  /** When somebody is to be told of spans. */
  readonly tracer: Tracer | undefined;
  /** Where the link goes, without user and password. */
  readonly address: string;
  readonly registry: Registry;
  /** Ordinary commands and scripts. */
  readonly commands: Connection;
  readonly #settings: ClientSettings;
  readonly #connections = new Set<Connection>();
  /** In a cluster. */
  readonly #slots: SlotMap | undefined;
  #subscriptions: Subscriptions | undefined;
  #durable: DurableWriter | undefined;
  #closing: Promise<void> | undefined;

  private constructor(options: RedisLinkOptions) {
    const {
      url = DEFAULT_REDIS_URL,
      username,
      password,
      tls,
      prefix,
      clientName = 'ponos',
      access,
      clock,
      telemetry,
      ...rest
    } = options;
    const target = parseRedisUrl(url);
    target.username = username ?? target.username;
    target.password = password ?? target.password;
    this.clock = clock ?? systemClock;
    this.keys = new KeySpace(prefix);
    this.access = access ?? 'read-write';
    this.tracer = telemetry && new Tracer(telemetry);
    this.address = redactUrl(url);
    this.#settings = { target, tls, clientName, ...resolveOptions('RedisLink', linkOptions, rest) };
    this.commands = this.#create('commands');
    const { client } = this.commands;
    this.#slots = client instanceof Cluster ? new SlotMap(client) : undefined;
    this.registry = new Registry(this.commands, this.keys);
  }

  /**
   * Connects and checks that the server is new enough.
   * @throws RedisUnavailableError, RedisDeniedError, OptionError; UnsafeServerError for a server older than 7.0.
   */
  static async connect(options: RedisLinkOptions = {}): Promise<RedisLink> {
    const link = new RedisLink(options);
    try {
      await link.commands.open();
      await link.#checkVersion();
    } catch (error) {
      await link.close();
      throw error;
    }
    return link;
  }

  /** Keys of different things may live on different nodes: a command about several of them does not work. */
  get isCluster(): boolean {
    return this.#settings.target.kind === 'cluster';
  }

  /** Publish and subscribe, over a connection of their own. */
  get subscriptions(): Subscriptions {
    this.#subscriptions ??= this.#subscribe();
    return this.#subscriptions;
  }

  /** Calls that count the replicas which have what they wrote, over a connection of their own. */
  get durable(): DurableWriter {
    this.#durable ??= new DurableWriter({
      clock: this.clock,
      slots: this.#slots,
      open: node => this.#open('durable', node),
      patienceMs: this.#settings.commandTimeoutMs,
    });
    return this.#durable;
  }

  /** A new connection for lease renewals, to be opened: no queue while offline, so an old renewal never fires late. */
  createLease(): Connection {
    return this.#create('lease');
  }

  /** A new connection for blocking reads of keys in the slot of `key`. */
  openBlocking(key: string): Promise<BlockingConnection> {
    const open = (node: RedisNode | undefined) => this.#open('blocking', node);
    return BlockingConnection.open({ slots: this.#slots, commands: this.commands, open }, key);
  }

  /** Which keys one command may name together: those with the same number. */
  slotOf(key: string): number {
    return this.#slots ? slotOf(key) : 0;
  }

  /** Asks the node that has the slot of `key` what only that node knows, with a command that names no key. */
  callNear(key: string, command: string, ...args: Argument[]): Promise<unknown> {
    return this.commands.callAt(this.#slots?.ownerOf(key), command, ...args);
  }

  /** Ends every connection. Legal more than once. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      await this.#subscriptions?.close();
      await this.commands.close({ graceful: true });
      await Promise.all([...this.#connections].map(connection => connection.close()));
    })();
    return this.#closing;
  }

  /** Nothing of the link but its address: it holds credentials. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `RedisLink ${this.address}`;
  }

  async #open(role: Role, node?: RedisNode): Promise<Connection> {
    const connection = this.#create(role, node);
    try {
      await this.#opened(connection, node);
    } catch (error) {
      this.#connections.delete(connection);
      await connection.close();
      throw error;
    }
    return connection;
  }

  /** A node of a cluster that takes a socket and never answers is not waited for: another may have its slots by now. */
  #opened(connection: Connection, node: RedisNode | undefined): Promise<void> {
    if (!node) return connection.open();
    return within(this.clock, this.#settings.connectTimeoutMs, connection.open(), () => {
      throw new RedisUnavailableError(`${nodeName(node)} does not answer`);
    });
  }

  #subscribe(): Subscriptions {
    if (this.#slots) return new ClusterSubscriptions(this.#slots, this.clock, node => this.#create('subscriber', node));
    const connection = this.#create('subscriber');
    return new ServerSubscriptions(connection, this.clock, () => connection.open());
  }

  /** `node`: that one of a cluster. */
  #create(role: Role, node?: RedisNode): Connection {
    const target = node
      ? { ...this.#settings.target, kind: 'standalone' as const, nodes: [node] }
      : this.#settings.target;
    const connection: Connection = new Connection(createClient({ ...this.#settings, target }, role), {
      address: this.address,
      access: this.access,
      clock: this.clock,
      followMs: role === 'commands' && target.kind === 'cluster' ? this.#settings.commandTimeoutMs : undefined,
      onClose: () => this.#connections.delete(connection),
    });
    this.#connections.add(connection);
    return connection;
  }

  async #checkVersion(): Promise<void> {
    const info = String(await this.commands.call('INFO', 'server'));
    const version = /^redis_version:(\d+)\.(\d+)/m.exec(info);
    if (!version) return;
    const [major, minor] = [Number(version[1]), Number(version[2])];
    if (major < OLDEST_SERVER[0] || (major === OLDEST_SERVER[0] && minor < OLDEST_SERVER[1])) {
      throw new UnsafeServerError('SERVER_TOO_OLD', `Redis ${major}.${minor} at ${this.address} is too old`, {
        hint: `Ponos needs Redis ${OLDEST_SERVER.join('.')} or Valkey 7.2, or newer.`,
      });
    }
  }
}
