/** A process of a simulation: its clock, its link to Redis, and what may happen to it. */
import type { Clock, Timer } from '../../src/engine/core/clock.ts';
import { Connection } from '../../src/engine/redis/connection.ts';
import { KeySpace } from '../../src/engine/redis/keys.ts';
import type { RedisLink } from '../../src/engine/redis/link.ts';
import { Registry } from '../../src/engine/redis/registry.ts';
import { ServerSubscriptions } from '../../src/engine/redis/subscriptions.ts';
import { type Network, SimulatedClient } from './network.ts';
import { PREFIX } from './server.ts';

const COMMAND_TIMEOUT_MS = 1000;

export class SimulatedProcess {
  readonly name: string;
  readonly network: Network;
  readonly clock: Clock;
  readonly link: RedisLink;
  readonly clients: SimulatedClient[] = [];
  /** Called at its sudden end. */
  onCrash = () => {};
  alive = true;
  /** May end at any script. */
  mortal = true;
  /** Neither it nor Redis hears anything of the other. */
  cutUntilMs = 0;

  #pausedUntilMs = 0;
  /** What was due while it stood still. */
  readonly #overdue = new Set<() => void>();
  readonly #troubles: { fromMs: number; untilMs: number }[] = [];

  constructor(name: string, network: Network) {
    this.name = name;
    this.network = network;
    const { agenda, random } = network;
    const bootMs = agenda.nowMs - random.between(0, 1_000_000);
    const wallOffsetMs = 1_700_000_000_000 + random.between(-5000, 5000);
    this.clock = {
      wallMs: () => agenda.nowMs + wallOffsetMs,
      monotonicMs: () => agenda.nowMs - bootMs,
      // A timer is never early, and a little late.
      after: (delayMs, call) => this.after(delayMs + random.between(0.01, 1), call),
    };
    this.link = this.#makeLink();
  }

  /** It could not do its work for a moment, from now on or until then. */
  trouble(untilMs = this.network.agenda.nowMs): void {
    this.#troubles.push({ fromMs: this.network.agenda.nowMs, untilMs });
  }

  troubledBetween(fromMs: number, untilMs: number): boolean {
    return this.#troubles.some(trouble => trouble.fromMs <= untilMs && trouble.untilMs >= fromMs);
  }

  get paused(): boolean {
    return this.#pausedUntilMs > this.network.agenda.nowMs;
  }

  get pausedUntilMs(): number {
    return this.#pausedUntilMs;
  }

  /** Stands still, as by SIGSTOP, at least until then. */
  pause(untilMs: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, untilMs);
    const { agenda } = this.network;
    agenda.after(this.#pausedUntilMs - agenda.nowMs, () => {
      if (!this.paused) this.#catchUp();
    });
  }

  /** Goes on now, as by SIGCONT. */
  resume(): void {
    this.#pausedUntilMs = Math.min(this.#pausedUntilMs, this.network.agenda.nowMs);
    this.#catchUp();
  }

  /** Something that happens in this process: when it stands still, as soon as it goes on; when it is dead, never. */
  after(delayMs: number, act: () => void): Timer {
    const { agenda, random } = this.network;
    let timer = agenda.after(delayMs, () => {
      if (!this.alive) return;
      if (this.paused) this.#overdue.add(later);
      else act();
    });
    const later = () => {
      timer = this.after(random.between(0, 0.5), act);
    };
    return {
      cancel: () => {
        timer.cancel();
        this.#overdue.delete(later);
      },
    };
  }

  #catchUp(): void {
    for (const later of this.#overdue) later();
    this.#overdue.clear();
  }

  /** Ends at once: whatever it has sent may still arrive. */
  crash(): void {
    if (!this.alive) return;
    this.alive = false;
    this.trouble();
    for (const client of this.clients) {
      if (client.socket) {
        client.socket.gone = true;
        this.network.unlisten(client.socket);
      }
    }
    this.onCrash();
  }

  #makeLink(): RedisLink {
    const keys = new KeySpace(PREFIX);
    const connection = (role: SimulatedClient['role']) => {
      const client = new SimulatedClient(this, role, COMMAND_TIMEOUT_MS);
      this.clients.push(client);
      return new Connection(client.asClient(), { address: 'simulated', access: 'read-write', clock: this.clock });
    };
    const commands = connection('commands');
    const subscriber = connection('subscriber');
    const link = {
      keys,
      clock: this.clock,
      access: 'read-write',
      address: 'simulated',
      isCluster: false,
      commands,
      registry: new Registry(commands, keys),
      subscriptions: new ServerSubscriptions(subscriber, this.clock, () => subscriber.open()),
      createLease: () => connection('lease'),
      async close() {},
    };
    return link as unknown as RedisLink;
  }
}
