/**
 * What lies between the processes of a simulation and their Redis, and what goes wrong there. Each connection keeps its
 * order, as a socket does; across connections anything may overtake anything. A request on a socket that is gone may still
 * be carried out, later.
 */
import { EventEmitter } from 'node:events';
import type { Command } from 'ioredis';
import type { Client } from '../../src/engine/redis/client.ts';
import type { Agenda } from './agenda.ts';
import type { SimulatedProcess } from './process.ts';
import type { Random } from './random.ts';
import type { SimulatedServer } from './server.ts';

export interface Faults {
  /** How likely a step of the network is slow, and how slow at most. */
  slow: number;
  slowMs: number;
  /** How likely a socket falls silent at a request, before or after it was carried out. */
  silence: number;
  /** How likely a process ends at a script, before or after it was carried out. */
  crash: number;
  loseHint: number;
  repeatHint: number;
  /** How likely a hint is overtaken by others. */
  lateHint: number;
}

export const NO_FAULTS: Faults = {
  slow: 0,
  slowMs: 0,
  silence: 0,
  crash: 0,
  loseHint: 0,
  repeatHint: 0,
  lateHint: 0,
};

const CONNECT_TIMEOUT_MS = 500;

export class Network {
  readonly agenda: Agenda;
  readonly random: Random;
  readonly server: SimulatedServer;
  readonly note: (line: string) => void;
  faults: Faults = NO_FAULTS;
  /** Redis's clock against the simulated time. */
  serverOffsetMs = 1_700_000_000_000;
  /** Until when Redis carries out nothing. */
  serverStoppedUntilMs = 0;
  readonly #listeners = new Map<string, Set<Socket>>();

  constructor(agenda: Agenda, random: Random, server: SimulatedServer, note: (line: string) => void) {
    this.agenda = agenda;
    this.random = random;
    this.server = server;
    this.note = note;
  }

  latencyMs(): number {
    const { random, faults } = this;
    return random.chance(faults.slow) ? random.between(1, faults.slowMs) : random.between(0.1, 0.8);
  }

  listen(socket: Socket, channel: string): void {
    const sockets = this.#listeners.get(channel) ?? new Set();
    this.#listeners.set(channel, sockets);
    sockets.add(socket);
  }

  unlisten(socket: Socket, channel?: string): void {
    for (const [name, sockets] of this.#listeners)
      if (channel === undefined || name === channel) sockets.delete(socket);
  }

  async execute(socket: Socket, command: Command): Promise<{ reply?: unknown; error?: Error }> {
    const args = command.args as (string | Buffer | number)[];
    if (command.name === 'ssubscribe') {
      await this.server.listen(String(args[0]));
      this.listen(socket, String(args[0]));
      return { reply: 1 };
    }
    if (command.name === 'sunsubscribe') {
      this.unlisten(socket, String(args[0]));
      return { reply: 0 };
    }
    if (command.name === 'quit') return { reply: Buffer.from('OK') };
    const wallMs = this.serverOffsetMs + this.agenda.nowMs;
    if (command.name === 'time') {
      const wallUs = Math.floor(wallMs * 1000);
      return { reply: [Math.floor(wallUs / 1_000_000), wallUs % 1_000_000].map(part => Buffer.from(String(part))) };
    }
    const { published, ...answer } = await this.server.execute(command.name, args, wallMs);
    for (const { channel, payload } of published) {
      for (const listener of this.#listeners.get(channel) ?? []) this.#hint(listener, channel, payload);
    }
    return answer;
  }

  #hint(socket: Socket, channel: string, payload: Buffer): void {
    const { random, faults } = this;
    const tell = () => socket.client.emit('smessageBuffer', Buffer.from(channel), payload);
    if (random.chance(faults.loseHint)) {
      this.note(`  hint lost: ${text(payload)} to ${socket.client.process.name}`);
      return;
    }
    const copies = random.chance(faults.repeatHint) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (random.chance(faults.lateHint) || copy > 0) {
        socket.client.process.after(this.latencyMs() + random.between(0, 300), () => {
          if (!socket.gone) tell();
        });
      } else socket.deliver(tell);
    }
  }
}

/** One TCP connection of a client: what is under way in it, in both directions, in order. */
export class Socket {
  readonly client: SimulatedClient;
  gone = false;
  /** Nothing arrives at either end any more, and nobody is told. */
  silent = false;
  readonly unanswered = new Set<Command>();
  readonly #requests: { command: Command; crashes: boolean }[] = [];
  readonly #replies: (() => void)[] = [];

  constructor(client: SimulatedClient) {
    this.client = client;
  }

  send(command: Command): void {
    const { network, process } = this.client;
    const { random, faults } = network;
    // What a process would still have done in the moment of its end.
    if (!process.alive) return;
    let crashes = false;
    if (process.mortal && command.name === 'evalsha' && random.chance(faults.crash)) {
      if (random.chance(0.5)) {
        network.note(`${process.name} ends before ${network.server.nameOf(command.name, command.args)}`);
        process.crash();
        return;
      }
      crashes = true;
    }
    // As the client does: a command that was written may have been carried out.
    command.toWritable(this.client);
    this.unanswered.add(command);
    if (random.chance(faults.silence)) {
      network.note(`${process.name}'s ${this.client.role} connection falls silent`);
      this.silent = true;
      process.trouble(network.agenda.nowMs + 5000);
    }
    this.#requests.push({ command, crashes });
    network.agenda.after(network.latencyMs(), () => this.#arrive());
  }

  /** Something for the process, behind what is on its way. */
  deliver(act: () => void): void {
    this.#replies.push(act);
    this.client.process.after(this.client.network.latencyMs(), () => this.#receive());
  }

  async #arrive(): Promise<void> {
    const { network, process, role } = this.client;
    const { agenda, random } = network;
    const waitMs = Math.max(process.cutUntilMs, network.serverStoppedUntilMs) - agenda.nowMs;
    if (waitMs > 0) {
      agenda.after(waitMs + random.between(0, 1), () => this.#arrive());
      return;
    }
    const request = this.#requests.shift();
    // What was sent on a socket that is gone, or silent by now, got through or did not.
    if (!request || ((this.gone || this.silent || !process.alive) && random.chance(0.5))) return;
    const { command, crashes } = request;
    const answer = await network.execute(this, command);
    network.note(
      `${process.name} ${role}: ${network.server.nameOf(command.name, command.args)} -> ${text(answer.reply ?? answer.error)}`,
    );
    // Not when it was on its way until the faults were over: who stays then is counted on.
    if (crashes && network.faults.crash > 0) {
      network.note(`${process.name} ends after it`);
      process.crash();
      return;
    }
    this.deliver(() => {
      this.unanswered.delete(command);
      if (answer.error) command.reject(answer.error);
      else command.resolve(answer.reply);
    });
  }

  #receive(): void {
    const { network, process } = this.client;
    const waitMs = process.cutUntilMs - network.agenda.nowMs;
    if (waitMs > 0) {
      process.after(waitMs + network.random.between(0, 1), () => this.#receive());
      return;
    }
    const act = this.#replies.shift();
    if (!this.gone && !this.silent) act?.();
  }
}

/** Stands in for the client library under a real `Connection`: status, queue while offline, reconnecting. */
export class SimulatedClient extends EventEmitter {
  readonly network: Network;
  readonly process: SimulatedProcess;
  readonly role: 'commands' | 'lease' | 'subscriber';
  readonly #commandTimeoutMs: number;
  status = 'wait';
  socket: Socket | undefined;
  #offline: Command[] = [];

  constructor(process: SimulatedProcess, role: SimulatedClient['role'], commandTimeoutMs: number) {
    super();
    this.network = process.network;
    this.process = process;
    this.role = role;
    this.#commandTimeoutMs = commandTimeoutMs;
  }

  asClient(): Client {
    return this as unknown as Client;
  }

  connect(): Promise<void> {
    this.#open();
    return Promise.resolve();
  }

  sendCommand(command: Command): Promise<unknown> {
    if (this.status === 'end') command.reject(new Error('Connection is closed.'));
    else {
      command.setTimeout(this.#commandTimeoutMs);
      if (this.socket && this.status === 'ready') this.socket.send(command);
      else if (this.role !== 'lease') this.#offline.push(command);
      else command.reject(new Error("Stream isn't writeable and enableOfflineQueue options is false"));
    }
    return command.promise;
  }

  quit(): Promise<unknown> {
    this.disconnect();
    return Promise.resolve(Buffer.from('OK'));
  }

  /** The process drops the socket. */
  disconnect(reconnect = false): void {
    const { socket } = this;
    if (!reconnect) {
      this.#drop('Connection is closed.');
      this.status = 'end';
      this.#reject(this.#offline, 'Connection is closed.');
      this.emit('close');
      this.emit('end');
    } else if (socket && this.status === 'ready') {
      this.status = 'disconnecting';
      this.process.after(this.network.random.between(0.1, 100), () => this.#lost(socket));
    }
  }

  /** The network, or Redis, ends the socket. */
  reset(): void {
    const { socket } = this;
    this.process.trouble();
    if (socket) this.process.after(0, () => this.#lost(socket));
  }

  #lost(socket: Socket): void {
    if (this.socket !== socket || this.status === 'end') return;
    this.#drop('Connection is closed.');
    this.status = 'reconnecting';
    this.emit('close');
    this.process.after(this.network.random.between(25, 100), () => this.#open());
  }

  #open(): void {
    if (this.status === 'end' || this.socket) return;
    this.status = 'connecting';
    const { network, process } = this;
    const reachableInMs = process.cutUntilMs - network.agenda.nowMs;
    if (reachableInMs > CONNECT_TIMEOUT_MS) {
      process.after(CONNECT_TIMEOUT_MS, () => {
        if (this.status !== 'connecting') return;
        this.emit('error', Object.assign(new Error('connect ETIMEDOUT'), { code: 'ETIMEDOUT' }));
        this.#reject(this.#offline, 'Reached the max retries per request limit (which is 0).');
        this.status = 'reconnecting';
        this.emit('close');
        process.after(network.random.between(100, 500), () => this.#open());
      });
      return;
    }
    process.after(Math.max(0, reachableInMs) + network.latencyMs(), () => {
      if (this.status !== 'connecting') return;
      const socket = new Socket(this);
      this.socket = socket;
      this.status = 'ready';
      this.emit('ready');
      const queued = this.#offline;
      this.#offline = [];
      for (const command of queued) if (!command.isSettled) socket.send(command);
    });
  }

  #drop(why: string): void {
    const { socket } = this;
    this.socket = undefined;
    if (!socket) return;
    socket.gone = true;
    this.network.unlisten(socket);
    this.#reject([...socket.unanswered], why);
    socket.unanswered.clear();
  }

  #reject(commands: Command[], why: string): void {
    for (const command of commands) command.reject(new Error(why));
    if (commands === this.#offline) this.#offline = [];
  }
}

/** A reply, short enough for a line. */
function text(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(text).join(' ')}]`.slice(0, 160);
  if (value instanceof Uint8Array) return String(value).replaceAll('\n', '|').slice(0, 60);
  return String(value).slice(0, 80);
}
