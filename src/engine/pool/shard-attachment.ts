/**
 * What this process knows of a shard: which one it is, on which server, and how it is set up. The generation goes with every
 * script; a reply LOST says that the shard is not the one known here (flushed, or made anew). Then it is looked up again,
 * or made again as it was, and the call repeated once. Whether Redis itself is the one of before is told by each look at
 * the members. In both cases `lost` says that jobs and leases may be missing.
 *
 * A shard that was removed on purpose (`removal.ts`) left a mark: it is not made again from here, also after the mark is
 * gone. Every call fails as NOT_FOUND, until somebody who did not know it makes it anew.
 */
import { Emitter } from '../core/emitter.ts';
import { ConflictError, NotFoundError } from '../core/errors.ts';
import { newId } from '../core/ids.ts';
import { storedCount } from '../core/stored.ts';
import type { Connection } from '../redis/connection.ts';
import type { RedisLink } from '../redis/link.ts';
import type { Argument, Script } from '../redis/script.ts';
import { type LeaseOption, type LeaseTerms, resolveLease } from './options.ts';
import { originOf, PROTOCOL, type ProtocolRange, requireProtocol } from './protocol.ts';
import { createScript } from './scripts.gen.ts';

export type Inputs = Record<string, Argument | readonly Argument[]>;
export type Known<Reply> = Exclude<Reply, { status: 'LOST' }>;

export interface ShardOptions {
  create: boolean;
  /** undefined: the terms the pool has. */
  lease: LeaseOption | undefined;
  /** undefined: the limit the pool has. */
  limit: number | undefined;
  /** undefined: as many as the pool has. */
  shards: number | undefined;
  /** Version of a new one; default the newest this process speaks. */
  protocol?: number | undefined;
  /** Versions this process speaks; default those of this release. */
  protocols?: ProtocolRange | undefined;
  defaults: ShardSettings;
}

interface ShardSettings {
  limit: number;
  /** How many the pool has. */
  shards: number;
  ledgerLength: number;
  deadLimit: number;
}

/** Why Redis may know less than it did: the shard was flushed or made anew, or another server answers, or a restarted one. */
export type LossCause = 'flushed' | 'server';

const TERM_FIELDS = ['lease-ms', 'margin-ms', 'grace-ms', 'clamp-ms', 'stop-budget-ms'] as const;
/** For who worked with it. */
const REMOVED_HINT = 'It was removed on purpose. Whoever opens it from now on, and may make it, makes a new one.';
const SETTING_FIELDS = ['limit', 'shards', 'ledger-length', 'dead-limit'] as const;

export class ShardAttachment {
  /** `lost`: Redis may know less of the shard than it did; the shard is in quarantine. */
  readonly events = new Emitter<{ lost: LossCause }>();
  readonly #link: RedisLink;
  readonly #pool: string;
  readonly #keys: ReturnType<RedisLink['keys']['pool']>;
  readonly #options: ShardOptions;
  readonly #protocols: ProtocolRange;
  #protocol: number;
  #generation = '';
  #server = '';
  #terms: LeaseTerms = resolveLease('default');
  #settings: ShardSettings;
  #removed = false;
  #attaching: Promise<void> | undefined;

  constructor(link: RedisLink, pool: string, index: number, options: ShardOptions) {
    this.#link = link;
    this.#pool = pool;
    this.#keys = link.keys.pool(pool, index);
    this.#options = options;
    this.#settings = options.defaults;
    this.#protocols = options.protocols ?? PROTOCOL;
    this.#protocol = options.protocol ?? this.#protocols.newest;
  }

  get shardCount(): number {
    return this.#settings.shards;
  }

  get protocol(): number {
    return this.#protocol;
  }

  get terms(): LeaseTerms {
    return this.#terms;
  }

  get generation(): string {
    return this.#generation;
  }

  /** A look at the members was answered by this server. */
  noteServer(server: string): void {
    if (server === this.#server) return;
    this.#server = server;
    this.events.emit('lost', 'server');
  }

  /** @throws NotFoundError when the shard is gone and was not to be made; what the connection throws. */
  async run<K extends Inputs, A extends Inputs & { generation: Argument }, R extends { status: string }>(
    script: Script<K, A, R>,
    keys: K,
    args: Omit<A, 'generation'>,
    connection: Connection = this.#link.commands,
  ): Promise<Known<R>> {
    const inputs = args as A;
    (inputs as { generation: Argument }).generation = this.#generation;
    const reply = await connection.run(script, keys, inputs);
    if (reply.status !== 'LOST') return reply as Known<R>;
    await this.#reattach();
    (inputs as { generation: Argument }).generation = this.#generation;
    const second = await connection.run(script, keys, inputs);
    if (second.status === 'LOST') throw new NotFoundError('pool', this.#pool);
    return second as Known<R>;
  }

  /** Looks the shard up, and makes it first if it is to be made. @throws as `Shard.open` */
  async attach(): Promise<void> {
    // Whoever knew the shard makes it again, so that workers need not come first.
    if (!this.#removed && (this.#options.create || this.#generation !== '')) await this.#create();
    const names = ['generation', 'server', 'protocol', ...SETTING_FIELDS, ...TERM_FIELDS];
    const found = (await this.#link.commands.call('HMGET', this.#keys.config, ...names)) as (Buffer | null)[];
    const fields = found.map(field => (field === null ? '' : String(field)));
    const [generation = '', server = '', protocol = '', limit, shards, ledgerLength, deadLimit, ...terms] = fields;
    if (generation === '') {
      throw new NotFoundError('pool', this.#pool, {
        hint: this.#removed ? REMOVED_HINT : 'It is made by the first worker that starts in it.',
      });
    }
    // First, for the settings of a later release may be others.
    requireProtocol(this.#pool, protocol, this.#protocols);
    const numbers = [shards, ledgerLength, deadLimit, limit, ...terms];
    if (numbers.some(number => storedCount(number, undefined) === undefined)) {
      throw new ConflictError(`the settings of pool "${this.#pool}" are damaged`, {
        code: 'POOL_DAMAGED',
        hint: `"ponos doctor ${this.#pool}" says what is missing.`,
      });
    }
    // Whoever knows the pool places keys by the number it had.
    const known = this.#generation === '' ? undefined : this.#settings.shards;
    const wanted = this.#options.shards ?? known;
    if (wanted !== undefined && wanted !== Number(shards)) {
      throw new ConflictError(`pool "${this.#pool}" has ${shards} shards, not ${wanted}`, {
        code: 'SHARDS_MISMATCH',
        hint: known
          ? 'It was made anew, with another number of shards: open it anew.'
          : 'The number of shards is fixed when a pool is made; leave it out.',
      });
    }
    const [leaseMs = 0, marginMs = 0, graceMs = 0, clampMs = 0, stopBudgetMs = 0] = terms.map(Number);
    this.#terms = resolveLease({ leaseMs, marginMs, graceMs, clampMs, stopBudgetMs });
    this.#settings = {
      limit: Number(limit),
      shards: Number(shards),
      ledgerLength: Number(ledgerLength),
      deadLimit: Number(deadLimit),
    };
    this.#protocol = Number(protocol);
    this.#generation = generation;
    this.#server = server;
    this.#removed = false;
  }

  #reattach(): Promise<void> {
    this.#attaching ??= (async () => {
      try {
        const [generation, server] = [this.#generation, this.#server];
        await this.attach();
        if (originOf(this.#generation) !== originOf(generation)) this.events.emit('lost', 'flushed');
        else if (this.#server !== server) this.events.emit('lost', 'server');
      } finally {
        this.#attaching = undefined;
      }
    })();
    return this.#attaching;
  }

  async #create(): Promise<void> {
    const { lease, limit } = this.#options;
    const known = this.#generation !== '';
    // A shard that was lost is made again as it was.
    const terms = resolveLease(known ? this.#terms : (lease ?? 'default'));
    const { shards, ledgerLength, deadLimit } = this.#settings;
    const reply = await this.#link.commands.run(
      createScript,
      { config: this.#keys.config, members: this.#keys.members },
      {
        generation: newId(),
        shards,
        terms_given: lease === undefined ? 0 : 1,
        limit_given: limit === undefined ? 0 : 1,
        lease_ms: terms.leaseMs,
        margin_ms: terms.marginMs,
        grace_ms: terms.graceMs,
        clamp_ms: terms.clampMs,
        stop_budget_ms: terms.stopBudgetMs,
        limit: (known ? undefined : limit) ?? this.#settings.limit,
        ledger_length: ledgerLength,
        dead_limit: deadLimit,
        protocol: this.#protocol,
        oldest_protocol: this.#protocols.oldest,
        known: known ? 1 : 0,
        events: this.#keys.events,
      },
    );
    if (reply.status === 'REMOVED') {
      this.#removed = true;
      throw new NotFoundError('pool', this.#pool, { hint: REMOVED_HINT });
    }
    if (reply.status === 'REMOVING') {
      throw new ConflictError(`pool "${this.#pool}" is being removed`, {
        code: 'POOL_REMOVING',
        hint: `It can be made anew afterwards. If its removal was interrupted, "ponos pool remove ${this.#pool}" ends it.`,
      });
    }
    if (reply.status === 'CONFLICT') {
      throw new ConflictError(
        `pool "${this.#pool}" has live workers with a lease of ${reply.lease_ms} ms, not ${terms.leaseMs} ms`,
        { code: 'LEASE_MISMATCH', hint: 'Use the same lease for every worker, or stop all of them first.' },
      );
    }
    await this.#link.registry.add('pools', this.#pool);
  }
}
