/**
 * The real Redis of the simulation, on one connection: each command runs alone, and what it published is known when it
 * has its reply. Only the time is not real: the scripts are the generated ones with another `wall_us`, which reads the
 * simulated time from a key.
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
      let source = script.source.replace(WALL_US, SIMULATED_WALL_US);
      if (/'TIME'/.test(source)) throw new Error(`${script.name} reads the time in a way of its own`);
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
    await this.#client.call('FLUSHDB');
    if (this.#subscribed.size > 0) await this.#client.call('SUNSUBSCRIBE');
    this.#subscribed.clear();
    this.#wallUs = -1;
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
