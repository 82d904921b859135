/**
 * The real Redis of the simulation, on one connection: each command runs alone, and what it published is known when it
 * has its reply. Only time and server are not real: the scripts are the generated ones, which read the simulated time and
 * the id of the server from keys.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, Redis } from 'ioredis';
import * as mapScripts from '../../src/engine/maps/scripts.gen.ts';
import * as poolScripts from '../../src/engine/pool/scripts.gen.ts';
import { RedisLink } from '../../src/engine/redis/link.ts';
import type { Script } from '../../src/engine/redis/script.ts';
import { RedisServer } from '../support/redis.ts';

type Operand = string | Buffer | number;

export interface Published {
  channel: string;
  payload: Buffer;
}

export interface Execution {
  reply?: unknown;
  error?: Error;
  published: Published[];
}

export type Copy = { name: Buffer; value: Buffer; leftMs: number }[];

/** A change of a script's text, to see whether it is found. */
export interface Mutation {
  /** As `pool.claim`; `*` for every script with that text. */
  script: string;
  from: string;
  to: string;
}

/** Of every key of the simulated processes. */
export const PREFIX = 'sim';
const WALL_KEY = 'simulated:wall-us';
const WALL_US = /local function wall_us\(\)\n[\s\S]*?\nend/;
const SIMULATED_WALL_US = `local function wall_us() return tonumber(redis.call('GET', '${WALL_KEY}')) end`;
const SERVER_KEY = 'simulated:server-id';
const SERVER_INFO = "redis.call('INFO', 'replication')";
const SIMULATED_SERVER_INFO = `'master_replid:' .. redis.call('GET', '${SERVER_KEY}')`;
/** A set has no order that lasts: sorted, the same seed sees the same. */
const UNORDERED = new Set(['sscan', 'smembers']);

export class SimulatedServer {
  /** For looking, outside of the simulated network. */
  readonly link: RedisLink;
  readonly #server: RedisServer;
  readonly #client: Redis;
  readonly #scripts = new Map<string, { name: string; sha1: string; publishes: boolean }>();
  readonly #subscribed = new Set<string>();
  #published: Published[] = [];
  #wallUs = -1;
  #serverCount = 0;

  private constructor(server: RedisServer, link: RedisLink, client: Redis) {
    this.link = link;
    this.#server = server;
    this.#client = client;
    client.on('smessageBuffer', (channel: Buffer, payload: Buffer) => {
      this.#published.push({ channel: channel.toString(), payload });
    });
  }

  static async start(mutations: readonly Mutation[] = []): Promise<SimulatedServer> {
    const server = await RedisServer.start({ args: ['--unixsocket', 'redis.sock'] });
    const options = { path: join(server.folder, 'redis.sock'), protocol: 3 as const, replyMapping: 'legacy' as const };
    const link = await RedisLink.connect({ url: server.url, prefix: PREFIX });
    const simulated = new SimulatedServer(server, link, new Redis(options));
    await simulated.load(mutations);
    return simulated;
  }

  async stop(): Promise<void> {
    this.#client.disconnect();
    await this.link.close();
    await this.#server.stop();
    await rm(this.#server.folder, { recursive: true, force: true });
  }

  /** Every script of the pool and of the maps, with the simulated time. */
  async load(mutations: readonly Mutation[]): Promise<void> {
    const applied = new Set<Mutation>();
    for (const script of [...Object.values(poolScripts), ...Object.values(mapScripts)] as Script[]) {
      let source = script.source.replace(WALL_US, SIMULATED_WALL_US).replaceAll(SERVER_INFO, SIMULATED_SERVER_INFO);
      if (/'(TIME|INFO)'/.test(source)) throw new Error(`${script.name} asks for time or server in a way of its own`);
      for (const mutation of mutations) {
        if (mutation.script !== '*' && mutation.script !== script.name) continue;
        if (!source.includes(mutation.from)) continue;
        source = source.replace(mutation.from, mutation.to);
        applied.add(mutation);
      }
      const sha1 = String(await this.#client.call('SCRIPT', 'LOAD', source));
      this.#scripts.set(script.sha1, { name: script.name, sha1, publishes: source.includes('SPUBLISH') });
    }
    for (const mutation of mutations) {
      if (!applied.has(mutation)) throw new Error(`no script has the text ${JSON.stringify(mutation.from)}`);
    }
  }

  /** What a command is called in a history. */
  nameOf(command: string, args: readonly unknown[]): string {
    return this.#scripts.get(String(args[0]))?.name ?? `${command} ${String(args[0] ?? '')}`.trim();
  }

  /** Forgets everything of the schedule before. */
  async clear(): Promise<void> {
    if (this.#subscribed.size > 0) await this.#client.call('SUNSUBSCRIBE');
    this.#subscribed.clear();
    this.#serverCount = 0;
    await this.forget();
  }

  /** As FLUSHALL does. */
  async forget(): Promise<void> {
    await this.#client.call('FLUSHDB');
    this.#wallUs = -1;
    await this.#client.call('SET', SERVER_KEY, String(this.#serverCount).padStart(40, '0'));
  }

  /** What a replica has that hears nothing more from now on. */
  async copy(): Promise<Copy> {
    const names = (await this.call('keys', `${PREFIX}:*`)) as Buffer[];
    const entries = names.map(async name => {
      const [value, leftMs] = await Promise.all([this.call('dump', name), this.call('pttl', name)]);
      return { name, value: value as Buffer, leftMs: Math.max(0, leftMs as number) };
    });
    return Promise.all(entries);
  }

  /** That replica is the master now. */
  async become(copy: Copy): Promise<void> {
    this.#serverCount++;
    await this.forget();
    await Promise.all(copy.map(({ name, value, leftMs }) => this.call('restore', name, leftMs, value)));
  }

  async listen(channel: string): Promise<void> {
    if (this.#subscribed.has(channel)) return;
    this.#subscribed.add(channel);
    await this.#client.ssubscribe(channel);
  }

  async execute(command: string, args: readonly Operand[], wallMs: number): Promise<Execution> {
    const script = this.#scripts.get(String(args[0]));
    this.#published = [];
    const execution: Execution = { published: this.#published };
    this.#client.stream?.cork();
    const operands = script ? [script.sha1, ...args.slice(1)] : [...args];
    const wallUs = Math.floor(wallMs * 1000);
    if (script && wallUs !== this.#wallUs) {
      this.#wallUs = wallUs;
      this.#send('set', [WALL_KEY, String(wallUs)]).catch(() => {});
    }
    const answer = this.#send(command, operands);
    // What was published has come before the reply to whatever is sent after it.
    const barrier = script?.publishes ? this.#send('ping', []) : undefined;
    this.#client.stream?.uncork();
    try {
      execution.reply = await answer;
      if (UNORDERED.has(command)) sortReply(execution.reply);
    } catch (error) {
      execution.error = error as Error;
    }
    await barrier;
    return execution;
  }

  call(command: string, ...args: Operand[]): Promise<unknown> {
    return this.#send(command.toLowerCase(), args);
  }

  #send(command: string, args: Operand[]): Promise<unknown> {
    return this.#client.sendCommand(new Command(command, args)) as Promise<unknown>;
  }
}

function sortReply(reply: unknown): void {
  const list = reply as unknown[];
  const members = (Array.isArray(list[1]) ? list[1] : list) as Buffer[];
  members.sort(Buffer.compare);
}
