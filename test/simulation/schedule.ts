/**
 * One schedule: a few processes with workers, clients that dispatch, stop and notify, and faults, all chosen by one seed.
 * Then the faults end, time passes, and what was accepted must run or be over.
 */
import { PonosError } from '../../src/engine/core/errors.ts';
import { PoolClient } from '../../src/engine/pool/client.ts';
import { PoolNode } from '../../src/engine/pool/node.ts';
import { type LeaseTerms, leasePresets } from '../../src/engine/pool/options.ts';
import { KeySpace } from '../../src/engine/redis/keys.ts';
import { findViolations } from '../support/pool-invariants.ts';
import { Agenda } from './agenda.ts';
import { type Faults, Network, NO_FAULTS } from './network.ts';
import { SimulatedProcess } from './process.ts';
import { Random } from './random.ts';
import { type Copy, PREFIX, type SimulatedServer } from './server.ts';
import { type Habits, Witness } from './witness.ts';

const POOL = 'p';
const space = new KeySpace(PREFIX);
const keys = space.pool(POOL);
const LEASE: LeaseTerms = leasePresets.fast;
/** What may pass, when nothing goes wrong any more, until every job runs or is over. */
const CALM_MS = LEASE.leaseMs + LEASE.graceMs + 2000;
/** A socket that fell silent is found out by a command without a reply, then a ping without one. */
const LAST_MS = 5000;
const LOOK_MS = 250;

export interface Outcome {
  seed: number;
  violations: string[];
  history: string[];
  startCount: number;
  callCount: number;
}

interface Sent {
  id: string;
  key: string;
  sentMs: number;
  accepted: boolean;
  notes: number;
  noting: boolean;
}

interface Host {
  process: SimulatedProcess;
  node: PoolNode | undefined;
  worker: string;
  capacity: number;
  leaving: boolean;
}

/** A bug put in on purpose. */
export interface Plant {
  /** What was to stop is still at work when it says it has stopped. */
  stopsLate?: boolean;
}

export async function runSchedule(seed: number, server: SimulatedServer, plant: Plant = {}): Promise<Outcome> {
  const random = new Random(seed);
  const realRandom = Math.random;
  Math.random = () => random.next();
  try {
    await server.clear();
    return await new Schedule(seed, random, server, plant).run();
  } finally {
    Math.random = realRandom;
  }
}

class Schedule {
  readonly #seed: number;
  readonly #random: Random;
  readonly #server: SimulatedServer;
  readonly #agenda = new Agenda();
  readonly #network: Network;
  readonly #witness: Witness;
  readonly #history: string[] = [];
  readonly #hosts: Host[] = [];
  readonly #sent: Sent[] = [];
  /** Ids whose end somebody asked for, with success, and when the last one did. */
  readonly #stopped = new Map<string, number>();
  /** Redis forgets everything, or goes back to an older copy, in some schedules. */
  readonly #forgetful: boolean;
  #copy: Copy | undefined;
  /** What ran when Redis lost something the last time: none of these may be lost by that. */
  #atLoss: { id: string; host: Host }[] = [];
  readonly #asked = new Set<string>();
  readonly #keys: string[];
  readonly #habits: Habits;
  #calm = false;
  #callCount = 0;
  #names = 0;
  #client: PoolClient | undefined;

  constructor(seed: number, random: Random, server: SimulatedServer, plant: Plant) {
    this.#seed = seed;
    this.#random = random;
    this.#server = server;
    const note = (line: string) => this.#note(line);
    this.#network = new Network(this.#agenda, random, server, note);
    this.#witness = new Witness(this.#agenda, LEASE, note);
    this.#keys = Array.from({ length: random.whole(3, 8) }, (_, at) => `k${at}`);
    this.#forgetful = random.chance(0.3);
    const kind = random.chance(0.75) ? ('service' as const) : ('task' as const);
    const slowStart = random.chance(0.5);
    const slowStop = random.chance(0.5);
    const slowNotes = random.chance(0.5);
    const failing = !this.#forgetful && random.chance(0.3) ? 0.15 : 0;
    this.#habits = {
      kind,
      startMs: () => (slowStart && random.chance(0.3) ? random.between(1, 500) : 0),
      stopMs: () =>
        slowStop && random.chance(0.5)
          ? random.pick([random.between(1, LEASE.stopBudgetMs - 20), LEASE.stopBudgetMs - 20])
          : 0,
      noteMs: () => (slowNotes && !this.#calm ? random.between(0, 1000) : 0),
      runMs: () => random.between(0, 2000),
      fails: () => random.chance(failing),
      stopsLate: plant.stopsLate ?? false,
    };
  }

  async run(): Promise<Outcome> {
    const random = this.#random;
    const workers = random.whole(2, 4);
    await this.#openClient();
    for (let at = 0; at < workers; at++) this.#spawn(`w${at}`);
    await this.#pass(50);
    this.#network.faults = this.#chooseFaults();
    const steps = random.whole(20, 60);
    const moves = this.#chooseMoves();
    for (let step = 0; step < steps && this.#witness.violations.length === 0; step++) {
      await random.pick(moves)();
      await this.#pass(random.chance(0.2) ? random.between(0, 1500) : random.between(0, 120));
    }
    if (this.#witness.violations.length === 0) await this.#settle();
    for (const { process } of this.#hosts) process.crash();
    this.#client = undefined;
    const { violations, startCount } = this.#witness;
    return { seed: this.#seed, violations, history: this.#history, startCount, callCount: this.#callCount };
  }

  #note(line: string): void {
    this.#callCount++;
    this.#history.push(`${this.#agenda.nowMs.toFixed(2)} ${line}`);
  }

  #pass(ms: number): Promise<void> {
    return this.#agenda.pass(ms, () => {
      this.#witness.check();
      return this.#witness.begun.length > 0 ? this.#checkBegun() : undefined;
    });
  }

  /** Nothing was carried out since they began: a record that says it is over was there before. */
  async #checkBegun(): Promise<void> {
    for (const id of this.#witness.begun.splice(0)) {
      const [outcome] = await this.#read(keys.dispatch(id), 'outcome');
      if (outcome) this.#witness.complain(`${id} begins, which is ${outcome}`);
    }
  }

  async #read(key: string | Buffer, ...fields: string[]): Promise<(string | null)[]> {
    const reply = (await this.#server.call('hmget', key, ...fields)) as (Buffer | null)[];
    return reply.map(field => field && String(field));
  }

  /** Each schedule has some kinds of faults and not others: all at once would hide those that need quiet around them. */
  #chooseFaults(): Faults {
    const random = this.#random;
    const some = (most: number) => (random.chance(0.5) ? random.between(0, most) : 0);
    return {
      slow: some(0.15),
      slowMs: this.#forgetful ? 20 : random.pick([20, 200, 2000]),
      silence: this.#forgetful ? 0 : some(0.004),
      crash: some(0.004),
      loseHint: some(0.5),
      repeatHint: some(0.2),
      lateHint: some(0.3),
    };
  }

  /** What may be done at a step; more of the ordinary than of the rest. */
  #chooseMoves(): (() => Promise<void> | void)[] {
    const random = this.#random;
    const usual = [() => this.#dispatch(), () => this.#dispatch(), () => this.#dispatch(), () => this.#stop()];
    if (this.#habits.kind === 'service')
      usual.push(
        () => this.#finish(),
        () => this.#notify(),
      );
    const faults = [
      () => this.#alive()?.process.crash(),
      () => this.#spawn(random.chance(0.5) ? this.#deadName() : undefined),
      () => this.#spawn(undefined),
      () => this.#drain(),
      () => this.#stopProcess(),
      () => this.#cut(),
      () => this.#reset(),
    ];
    const clocks = [() => this.#stepClock(), () => this.#stopServer(), () => this.#squeeze()];
    const losses = [() => this.#takeCopy(), () => this.#forget(), () => this.#goBack()];
    if (this.#forgetful) {
      // What waits for a handler that is busy, or was done since the copy, is what a loss can confuse.
      usual.push(() => this.#relapse());
      if (this.#habits.kind === 'service') usual.push(() => this.#notify(random.whole(2, 4)));
    }
    const chosen = [...faults, ...(this.#forgetful ? losses : clocks)].filter(() => random.chance(0.5));
    return [...usual, ...chosen];
  }

  #alive(): Host | undefined {
    const alive = this.#hosts.filter(({ process }) => process.alive);
    return alive.length > 0 ? this.#random.pick(alive) : undefined;
  }

  #deadName(): string | undefined {
    const dead = this.#hosts.filter(({ process }) => !process.alive);
    return dead.length > 0 ? this.#random.pick(dead).worker : undefined;
  }

  #spawn(name: string | undefined, capacity = this.#random.pick([2, 4, 10]), most = 5): void {
    if (this.#hosts.filter(({ process }) => process.alive).length >= most) return;
    const worker = name ?? `x${this.#names}`;
    const process = new SimulatedProcess(`${worker}/${this.#names++}`, this.#network);
    const host: Host = { process, node: undefined, worker, capacity, leaving: false };
    process.onCrash = () => this.#witness.crashed(process);
    this.#hosts.push(host);
    this.#note(`${process.name} comes up, capacity ${capacity}`);
    this.#join(host).catch(error => {
      this.#judge(process, error);
      process.crash();
    });
  }

  async #join(host: Host): Promise<void> {
    const { process, worker, capacity } = host;
    await process.link.commands.open();
    const node = await PoolNode.join(process.link, POOL, {
      lease: LEASE,
      settleMs: 200,
      closeTimeoutMs: 2000,
      drainTimeoutMs: 1000,
    });
    node.events.on('error', error => this.#judge(process, error));
    const joined = await node.addWorker({
      handler: this.#witness.handler(process, worker, this.#habits),
      id: worker,
      capacity,
    });
    joined.events.on('fenced', () => this.#note(`${process.name} is fenced`));
    joined.events.on('registered', ({ incarnation }) => this.#note(`${process.name} is a member, ${incarnation}`));
    host.node = node;
  }

  /** What goes wrong must be one of our errors, and not say that we are wrong. */
  #judge(process: SimulatedProcess, error: unknown): void {
    this.#note(`${process.name}: ${String(error)}`);
    if (error instanceof PonosError && error.kind !== 'invariant' && error.kind !== 'caller') return;
    this.#witness.complain(`${process.name} fails: ${error instanceof Error ? error.stack : String(error)}`);
  }

  async #openClient(): Promise<void> {
    const process = new SimulatedProcess('client', this.#network);
    process.mortal = false;
    const opening = (async () => {
      await process.link.commands.open();
      this.#client = await PoolClient.open(process.link, POOL, { create: true, lease: LEASE });
      this.#client.events.on('error', error => this.#judge(process, error));
    })();
    opening.catch(error => this.#judge(process, error));
    while (!this.#client && this.#witness.violations.length === 0) await this.#pass(5);
  }

  #dispatch(key = this.#random.pick(this.#keys)): Sent {
    const sent: Sent = {
      id: `d${this.#sent.length}`,
      key,
      sentMs: this.#agenda.nowMs,
      accepted: false,
      notes: 0,
      noting: false,
    };
    this.#sent.push(sent);
    const random = this.#random;
    const options = {
      id: sent.id,
      attempts: random.pick([0, 0, 3]),
      backoffMs: 50,
      backoffMaxMs: 200,
      delayMs: random.chance(0.1) ? random.between(1, 1000) : 0,
    };
    this.#try(`dispatch ${sent.id} for ${key}`, async client => {
      await client.dispatch(key, sent.id, options);
      sent.accepted = true;
    });
    return sent;
  }

  #stop(): void {
    const key = this.#random.pick(this.#keys);
    // Accepted before the stop was sent: whichever of them stands is the one that it ends.
    const before = this.#sent.filter(sent => sent.key === key && sent.accepted);
    const sentMs = this.#agenda.nowMs;
    this.#asked.add(key);
    this.#try(`stop ${key}`, async client => {
      await client.stop(key);
      for (const { id } of before) this.#stopped.set(id, Math.max(sentMs, this.#stopped.get(id) ?? 0));
    });
  }

  /** Sends a job that runs some notifications, each when the one before is accepted. */
  #notify(count = 1): void {
    const lives = [...this.#witness.alive];
    if (lives.length === 0) return;
    const { id } = this.#random.pick(lives);
    const sent = this.#sent.find(one => one.id === id);
    if (sent) this.#tell(sent, count);
  }

  #tell(sent: Sent, count: number): void {
    if (!sent.accepted || sent.noting || count === 0) return;
    // Only for a job whose record is surely that of the dispatch: the key may be another's by now.
    const [life] = this.#witness.at(sent.key);
    if (life?.id !== sent.id) return;
    sent.noting = true;
    this.#witness.sendsNote(sent.id, sent.notes + 1);
    this.#try(`notify ${sent.key} of ${sent.notes + 1}`, async client => {
      await client.notify(sent.key, `${sent.id} ${sent.notes + 1}`);
      sent.notes++;
      sent.noting = false;
      this.#tell(sent, count - 1);
    });
  }

  #try(what: string, act: (client: PoolClient) => Promise<void>): void {
    const client = this.#client as PoolClient;
    this.#note(`client: ${what}`);
    act(client).then(
      () => this.#note(`client: ${what}: ok`),
      (error: unknown) => {
        this.#note(`client: ${what}: ${String(error)}`);
        if (!(error instanceof PonosError) || error.kind === 'invariant') this.#witness.complain(String(error));
      },
    );
  }

  #finish(): void {
    const lives = [...this.#witness.alive].filter(
      ({ process, job, lease }) => !process.paused && !job.signal.aborted && lease?.owned,
    );
    if (lives.length === 0) return;
    const life = this.#random.pick(lives);
    this.#witness.finish(life, this.#random.chance(0.7) ? 'complete' : 'fail');
  }

  #drain(): void {
    const host = this.#alive();
    if (!host?.node || host.leaving || host.process.paused) return;
    host.leaving = true;
    this.#note(`${host.process.name} leaves`);
    const { node, process } = host;
    node
      .drain()
      .then(() => node.close())
      .then(() => {
        const left = [...this.#witness.alive].filter(life => life.process === process);
        if (left.length > 0) this.#witness.complain(`${process.name} has left and still runs ${left[0]?.job.key}`);
        this.#note(`${process.name} has left`);
        process.crash();
      })
      .catch(error => this.#judge(process, error));
  }

  #stopProcess(): void {
    const host = this.#alive();
    if (!host) return;
    const ms = this.#random.between(10, 1.5 * LEASE.leaseMs);
    host.process.pause(this.#agenda.nowMs + ms);
    host.process.trouble(host.process.pausedUntilMs);
    this.#note(`${host.process.name} stands still for ${ms.toFixed(0)} ms`);
  }

  #cut(ms = this.#random.between(10, 1.5 * LEASE.leaseMs)): void {
    const host = this.#alive();
    if (!host) return;
    host.process.cutUntilMs = Math.max(host.process.cutUntilMs, this.#agenda.nowMs + ms);
    host.process.trouble(host.process.cutUntilMs);
    this.#note(`${host.process.name} is cut off for ${ms.toFixed(0)} ms`);
  }

  #reset(): void {
    const host = this.#alive();
    if (!host) return;
    const client = this.#random.pick(host.process.clients);
    this.#note(`${host.process.name}'s ${client.role} connection is reset`);
    client.reset();
  }

  /** Once in a lease, as the terms allow for. */
  #steppedAtMs = Number.NEGATIVE_INFINITY;
  #stepClock(ms = this.#random.pick([-1, 1]) * this.#random.between(100, 300_000)): void {
    if (this.#agenda.nowMs - this.#steppedAtMs < LEASE.leaseMs + LEASE.graceMs) return;
    this.#steppedAtMs = this.#agenda.nowMs;
    this.#network.serverOffsetMs += ms;
    this.#note(`Redis's clock steps by ${ms.toFixed(0)} ms`);
  }

  /** The worst the terms allow for: a worker that cannot renew, and in that lease Redis's clock goes ahead. */
  #squeeze(): void {
    this.#cut(LEASE.leaseMs + LEASE.graceMs + 500);
    this.#agenda.after(this.#random.between(0, LEASE.leaseMs), () => this.#stepClock(60_000));
  }

  #stopServer(): void {
    const ms = this.#random.between(10, LEASE.leaseMs);
    this.#network.serverStoppedUntilMs = this.#agenda.nowMs + ms;
    this.#steppedAtMs = this.#agenda.nowMs;
    this.#note(`Redis stands still for ${ms.toFixed(0)} ms`);
  }

  async #takeCopy(): Promise<void> {
    this.#note('a replica hears nothing more');
    this.#copy = await this.#server.copy();
  }

  /** FLUSHALL. */
  async #forget(): Promise<void> {
    this.#lose('Redis forgets everything');
    await this.#server.forget();
  }

  /** A replica that has missed something becomes the master. */
  async #goBack(): Promise<void> {
    if (!this.#copy) return;
    this.#lose('Redis goes back to the replica');
    await this.#server.become(this.#copy);
    if (this.#random.chance(0.5)) {
      for (const { process } of this.#hosts) for (const client of process.clients) client.reset();
    }
  }

  /** A copy, some life, and the copy is all there is. */
  async #relapse(): Promise<void> {
    const random = this.#random;
    await this.#takeCopy();
    for (let count = random.whole(1, 3); count > 0; count--) {
      random.pick([() => this.#spawn(undefined), () => this.#drain(), () => this.#dispatch(), () => this.#notify(2)])();
      await this.#pass(random.between(0, 700));
    }
    await this.#goBack();
  }

  #lose(what: string): void {
    this.#note(what);
    this.#witness.lostAtMs = this.#agenda.nowMs;
    this.#atLoss = [];
    for (const { process, lease, job, id } of this.#witness.alive) {
      const host = this.#hosts.find(one => one.process === process);
      if (host && lease?.owned && !job.signal.aborted) this.#atLoss.push({ id, host });
    }
    if (this.#random.chance(0.5)) this.#haste();
  }

  /** Clients go on while nobody has said yet what he runs. */
  #haste(): void {
    const random = this.#random;
    const notes = this.#habits.kind === 'service' && random.chance(0.6);
    const act = notes ? () => this.#notify(random.whole(1, 3)) : () => this.#stop();
    for (let count = random.whole(1, 6); count > 0; count--) this.#agenda.after(random.between(0.1, 1500), act);
  }

  /** Whether the job of a dispatch must be there or over. Redis may have forgotten what did not run in a worker that was well. */
  #mustBeKnown({ id, key, sentMs, accepted }: Sent): boolean {
    const lostMs = this.#witness.lostAtMs;
    if (sentMs > lostMs) return accepted;
    if (this.#witness.finished.has(id) || this.#asked.has(key)) return false;
    return this.#atLoss.some(
      ({ id: one, host }) =>
        one === id &&
        !host.leaving &&
        !host.process.troubledBetween(lostMs - LEASE.leaseMs, lostMs + 2 * LEASE.leaseMs),
    );
  }

  /** The faults end. */
  async #settle(): Promise<void> {
    this.#note('the faults end');
    this.#calm = true;
    this.#network.faults = NO_FAULTS;
    this.#network.serverStoppedUntilMs = 0;
    for (const { process } of this.#hosts) {
      process.resume();
      process.cutUntilMs = 0;
    }
    const staying = this.#hosts.filter(({ process, leaving, node }) => process.alive && !leaving && node);
    const room = staying.reduce((sum, { capacity }) => sum + capacity, 0);
    // However many others there are: they may all be leaving, or fail to come up.
    if (room <= this.#keys.length) this.#spawn(undefined, 10, Number.POSITIVE_INFINITY);
    await this.#pass(CALM_MS);
    await this.#proveOrder();
  }

  /** A new job is accepted and runs, and so does everything before it, as soon as the last dead socket is noticed. */
  async #proveOrder(): Promise<void> {
    const last = this.#dispatch('last');
    let wrong = ['nothing was looked at'];
    for (let waitedMs = 0; waitedMs < LAST_MS && wrong.length > 0; waitedMs += LOOK_MS) {
      await this.#pass(LOOK_MS);
      wrong = last.accepted ? await this.#findWrong() : ['a dispatch is not accepted when nothing is wrong any more'];
    }
    for (const what of wrong) this.#witness.complain(what);
  }

  /** What is not as it must be when nothing goes wrong. */
  async #findWrong(): Promise<string[]> {
    const wrong: string[] = [];
    const complain = (what: string) => wrong.push(what);
    const stands = new Set<string>();
    for (const key of [...this.#keys, 'last']) {
      const [id, state, worker, token] = await this.#read(keys.job(key), 'dispatch', 'state', 'worker', 'token');
      const lives = this.#witness.at(key);
      for (const life of lives) {
        if (life.id === id && life.worker === worker && String(life.job.token) === token) continue;
        complain(`${life.worker} runs ${key} (${life.id}), which is recorded as ${id}, ${state}, of ${worker}`);
      }
      if (!id) continue;
      stands.add(id);
      // Redis may have forgotten that it was asked, but not what it was asked since.
      if ((this.#stopped.get(id) ?? Number.NEGATIVE_INFINITY) > this.#witness.lostAtMs)
        complain(`${key} (${id}) was stopped and is ${state}`);
      if (this.#habits.kind === 'service' && (state !== 'running' || lives.length !== 1)) {
        complain(`${key} (${id}) is ${state} of ${worker}, and at work ${lives.length} times`);
      }
      if (this.#habits.kind === 'task' && state === 'stopping') complain(`${key} (${id}) is still to stop`);
    }
    for (const sent of this.#sent) {
      const { id, key, notes, noting } = sent;
      const [outcome] = await this.#read(keys.dispatch(id), 'outcome');
      if (this.#mustBeKnown(sent) && !outcome && !stands.has(id)) complain(`${key} (${id}) is lost`);
      if (outcome && stands.has(id)) complain(`${key} (${id}) is ${outcome} and there again`);
      if (outcome === 'completed' && !this.#witness.finished.has(id)) complain(`${id} is completed, which nobody did`);
      const unheard = stands.has(id) && !noting ? this.#witness.unheard(id, notes) : [];
      if (unheard.length > 0) complain(`${id} was never told ${unheard.join(', ')} of ${notes} notifications`);
    }
    if (wrong.length === 0) wrong.push(...(await findViolations(this.#server.link, POOL)));
    return wrong;
  }
}
