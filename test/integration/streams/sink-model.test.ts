/**
 * Any sequence of transitions by any consumers, against a plain model: each reply is the model's, and so is the pending
 * list after each. At the end one healthy consumer finds everything that is not over. Consumers here are names; time
 * passes when a step says so.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RedisLink } from '../../../src/engine/redis/link.ts';
import { previousEntryId } from '../../../src/engine/streams/entry-id.ts';
import type { RawEntry } from '../../../src/engine/streams/event.ts';
import {
  ackScript,
  beatScript,
  claimScript,
  deadLetterScript,
  joinSinkScript,
  leaveSinkScript,
  retakeScript,
  sweepConsumersScript,
} from '../../../src/engine/streams/scripts.gen.ts';
import { useRedis } from '../../support/fixture.ts';

const SINK = 'k';
/** So long that real time decides nothing. */
const LEASE_MS = 600_000;
const IDLE_MS = 900_000;
const HOLD_MS = 300_000;
const REST_MS = 200_000;
const CONSUMERS = ['a', 'b', 'c'] as const;

interface Pending {
  consumer: string;
  count: number;
  idleMs: number;
}
interface Model {
  entries: string[];
  deleted: Set<string>;
  /** undefined while the group is gone. */
  group: { delivered: string; pending: Map<string, Pending> } | undefined;
  config: string | undefined;
  cursor: string;
  leases: Map<string, number>;
  scan: { claimer: string; leftMs: number; from: string };
  over: Set<string>;
  counted: { acked: number; dead: number; lost: number; losses: number };
}

type Step =
  | { do: 'publish' | 'sweep' | 'destroy' }
  | { do: 'join'; who: string; config: string }
  | { do: 'read'; who: string; count: number }
  | { do: 'beat' | 'retake' | 'dead'; who: string; pick: number }
  | { do: 'claim'; who: string; count: number }
  | { do: 'leave'; who: string; seen: boolean }
  | { do: 'ack' | 'delete'; pick: number }
  | { do: 'pass'; ms: number };

const who = fc.constantFrom(...CONSUMERS);
const pick = fc.nat(11);
const count = fc.integer({ min: 1, max: 3 });
const config = fc.constantFrom('x', 'x', 'x', 'y');
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('publish' as const) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('read' as const), who, count }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('join' as const), who, config }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('beat' as const), who, pick }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('retake' as const, 'dead' as const), who, pick }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('claim' as const), who, count }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('leave' as const), who, seen: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('ack' as const, 'ack' as const, 'delete' as const), pick }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('sweep' as const, 'sweep' as const, 'destroy' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(250_000, 700_000) }) },
);

describe('the scripts of a sink, against a model', () => {
  const redis = useRedis();

  it('answer as the model does, in any order, and lose nothing', async () => {
    const link = await redis.connect();
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60, size: 'max' }), async steps => {
        const real = new Real(link, `s${run++}`);
        await real.take({ do: 'join', who: 'a', config: 'x' });
        for (const each of steps) await real.take(each);
        await real.finish();
      }),
      { numRuns: Number(process.env.PONOS_TEST_RUNS ?? 150) },
    );
  });
});

class Real {
  readonly #link: RedisLink;
  readonly #keys;
  readonly #model: Model = {
    entries: [],
    deleted: new Set(),
    group: undefined,
    config: undefined,
    cursor: '0-0',
    leases: new Map(),
    scan: { claimer: '', leftMs: 0, from: '0-0' },
    over: new Set(),
    counted: { acked: 0, dead: 0, lost: 0, losses: 0 },
  };

  constructor(link: RedisLink, stream: string) {
    this.#link = link;
    const { events, meta, partitions, sinks, consumers, dead } = link.keys.stream(stream);
    this.#keys = { events, meta, partitions, sinks, consumers: consumers(SINK), dead: dead(SINK) };
  }

  async take(each: Step): Promise<void> {
    if (each.do === 'publish') this.#model.entries.push(String(await this.#call('XADD', '*', 'n', 'n', 'p', 'p')));
    else if (each.do === 'join') await this.#join(each.who, each.config);
    else if (each.do === 'read') await this.#read(each.who, each.count);
    else if (each.do === 'beat') await this.#beat(each.who, this.#picked(each.pick, 4));
    else if (each.do === 'claim') await this.#claim(each.who, each.count);
    else if (each.do === 'retake') await this.#retake(each.who, this.#picked(each.pick, 1)[0]);
    else if (each.do === 'dead') await this.#dead(each.who, this.#picked(each.pick, 1)[0]);
    else if (each.do === 'leave') await this.#leave(each.who, each.seen);
    else if (each.do === 'ack') await this.#ack(this.#picked(each.pick, 2));
    else if (each.do === 'sweep') await this.#sweep();
    else if (each.do === 'pass') await this.#pass(each.ms);
    else if (each.do === 'delete') {
      const [id] = this.#picked(each.pick, 1);
      if (id && (await this.#call('XDEL', id)) === 1) this.#model.deleted.add(id);
    } else if (this.#model.group) {
      await this.#link.commands.call('XGROUP', 'DESTROY', this.#keys.events, SINK);
      this.#model.group = undefined;
    }
    await this.#compare();
  }

  /** One consumer that does what it should: everything that is not over must come to it. */
  async finish(): Promise<void> {
    await this.#pass(LEASE_MS + IDLE_MS);
    await this.#join('a', 'x');
    // A scan goes on where the last one ended: the end of one pass, and another.
    for (let passes = 0; passes < 2; ) {
      await this.#pass(HOLD_MS);
      await this.#claim('a', 3);
      if (this.#model.scan.from === '0-0') passes++;
    }
    while (await this.#read('a', 10));
    const pending = [...(this.#model.group?.pending ?? [])];
    expect(pending.filter(([, { consumer }]) => consumer !== 'a')).toEqual([]);
    await this.#ack(pending.map(([id]) => id));
    await this.#beat('a', []);
    await this.#sweep();
    await this.#compare();
    // Who read without ever having joined goes by how long it has been silent.
    await this.#link.commands.run(sweepConsumersScript, this.#keys, { sink: SINK, lease_ms: -1 });
    const { entries, deleted, over, counted } = this.#model;
    expect(entries.filter(id => !deleted.has(id) && !over.has(id))).toEqual([]);
    expect(entries.filter(id => !deleted.has(id) && isLess(this.#model.cursor, id))).toEqual([]);
    const names = Object.keys(counted) as (keyof Model['counted'])[];
    const fields = await this.#link.commands.call('HMGET', this.#keys.sinks, ...names.map(name => `${SINK}:${name}`));
    expect((fields as (Buffer | null)[]).map(value => Number(value ?? 0))).toEqual(names.map(name => counted[name]));
    expect(await this.#link.commands.call('XLEN', this.#keys.dead)).toBe(counted.dead);
    expect((await this.#consumerNames()).filter(name => name !== 'a')).toEqual([]);
  }

  async #join(name: string, wanted: string): Promise<void> {
    const { config, leases, group, cursor, counted } = this.#model;
    const keys = { ...this.#keys, partitions: [this.#keys.partitions] };
    const reply = await this.#link.commands.run(joinSinkScript, keys, {
      sink: SINK,
      consumer: name,
      config: wanted,
      start: '0-0',
      lease_ms: LEASE_MS,
      generation: '',
      fresh_generation: 'g',
      cursor: '',
      recovering: 0,
    });
    const others = [...leases].some(([other, leftMs]) => other !== name && leftMs >= 0);
    if (config !== undefined && config !== wanted && others) {
      return expect(reply).toEqual({ status: 'MISMATCH', config });
    }
    const isNew = config === undefined;
    expect(reply).toMatchObject({ status: 'OK', cursor, recreated: group || isNew ? 0 : 1 });
    this.#model.config = wanted;
    leases.set(name, LEASE_MS);
    if (group) return;
    if (!isNew) counted.losses++;
    this.#model.group = { delivered: cursor, pending: new Map() };
  }

  async #read(name: string, most: number): Promise<boolean> {
    const { group, entries, deleted } = this.#model;
    if (!group) return false;
    const args = ['GROUP', SINK, name, 'COUNT', most, 'STREAMS', this.#keys.events, '>'];
    const reply = (await this.#link.commands.call('XREADGROUP', ...args)) as [Buffer, RawEntry[]][] | null;
    const ids = (reply?.[0]?.[1] ?? []).map(([id]) => String(id));
    const unread = entries.filter(id => isLess(group.delivered, id) && !deleted.has(id));
    expect(ids).toEqual(unread.slice(0, most));
    for (const id of ids) group.pending.set(id, { consumer: name, count: 1, idleMs: 0 });
    group.delivered = ids.at(-1) ?? group.delivered;
    return ids.length > 0;
  }

  async #beat(name: string, ids: string[]): Promise<void> {
    const { group, leases, deleted } = this.#model;
    const args = { sink: SINK, consumer: name, lease_ms: LEASE_MS, ids };
    const reply = await this.#link.commands.run(beatScript, this.#keys, args);
    if (!group) return expect(reply).toEqual({ status: 'NOGROUP' });
    leases.set(name, LEASE_MS);
    const moved: string[] = [];
    for (const id of ids) {
      const held = group.pending.get(id);
      if (held?.consumer !== name) moved.push(id);
      // What is gone from the stream leaves the pending list with the first claim.
      else if (deleted.has(id)) group.pending.delete(id);
      else held.idleMs = 0;
    }
    const oldest = this.#sortedPending()[0];
    this.#model.cursor = oldest ? previousEntryId(oldest) : group.delivered;
    expect(reply.status === 'OK' && { ...reply, moved: reply.moved.map(String) }).toEqual({
      status: 'OK',
      cursor: this.#model.cursor,
      moved,
    });
  }

  async #claim(name: string, most: number): Promise<void> {
    const { group, scan, deleted, counted } = this.#model;
    const args = { sink: SINK, consumer: name, idle_ms: IDLE_MS, count: most, hold_ms: HOLD_MS, rest_ms: REST_MS };
    const reply = await this.#link.commands.run(claimScript, this.#keys, args);
    if (!group) return expect(reply).toEqual({ status: 'NOGROUP' });
    if (scan.claimer !== name && scan.leftMs > 0) return expect(reply).toEqual({ status: 'BUSY' });
    const taken: (string | number)[] = [];
    let left = most;
    let gone = 0;
    const rest = this.#sortedPending().filter(id => !isLess(id, scan.from));
    // Redis looks at ten for each that it may claim.
    for (let looks = most * 10; looks > 0 && left > 0 && rest.length > 0; looks--) {
      const id = rest.shift() as string;
      const held = group.pending.get(id) as Pending;
      if (deleted.has(id)) {
        group.pending.delete(id);
        gone++;
        left--;
      } else if (held.idleMs >= IDLE_MS) {
        Object.assign(held, { consumer: name, count: held.count + 1, idleMs: 0 });
        taken.push(id, held.count);
        left--;
      }
    }
    counted.lost += gone;
    const more = rest.length > 0;
    this.#model.scan = { claimer: more ? name : '', leftMs: more ? HOLD_MS : REST_MS, from: rest[0] ?? '0-0' };
    expect(reply.status === 'OK' && { ...reply, entries: texts(reply.entries) }).toEqual({
      status: 'OK',
      more: more ? 1 : 0,
      lost: gone,
      entries: taken,
    });
  }

  async #retake(name: string, id: string | undefined): Promise<void> {
    if (!id) return;
    const { group, deleted } = this.#model;
    const reply = await this.#link.commands.run(retakeScript, this.#keys, { sink: SINK, consumer: name, id });
    const held = group?.pending.get(id);
    if (held?.consumer !== name) return expect(reply).toEqual({ status: 'MOVED' });
    held.count++;
    held.idleMs = 0;
    expect(reply).toEqual({ status: 'OK', count: held.count });
    if (deleted.has(id)) group?.pending.delete(id);
  }

  async #dead(name: string, id: string | undefined): Promise<void> {
    if (!id) return;
    const { group, deleted, counted, over } = this.#model;
    const args = { sink: SINK, consumer: name, id, count: 1, reason: 'r', cap: 1000, pending: 1 };
    const reply = await this.#link.commands.run(deadLetterScript, this.#keys, args);
    if (group?.pending.get(id)?.consumer !== name) return expect(reply).toEqual({ status: 'MOVED' });
    group.pending.delete(id);
    if (deleted.has(id)) {
      counted.lost++;
      return expect(reply).toEqual({ status: 'LOST' });
    }
    counted.dead++;
    over.add(id);
    expect(reply.status).toBe('OK');
  }

  async #ack(ids: string[]): Promise<void> {
    const args = { sink: SINK, filtered: 0, redelivered: 0, lost: 0, ids };
    const reply = await this.#link.commands.run(ackScript, this.#keys, args);
    const acked = ids.filter(id => this.#model.group?.pending.delete(id));
    for (const id of acked) this.#model.over.add(id);
    this.#model.counted.acked += acked.length;
    expect(reply).toEqual({ status: 'OK', acked: acked.length });
  }

  /** `seen`: a handler saw what it leaves behind. */
  async #leave(name: string, seen: boolean): Promise<void> {
    const { group, leases, deleted, scan } = this.#model;
    const mine = this.#sortedPending().filter(id => group?.pending.get(id)?.consumer === name);
    const args = { sink: SINK, consumer: name, idle_ms: IDLE_MS, unstarted: seen ? [] : mine };
    const reply = await this.#link.commands.run(leaveSinkScript, this.#keys, args);
    expect(reply).toEqual({ status: 'OK', pending: mine.length });
    if (mine.length === 0) leases.delete(name);
    else {
      leases.set(name, -1);
      scan.leftMs = 0;
    }
    for (const id of mine) {
      const held = group?.pending.get(id) as Pending;
      held.idleMs = IDLE_MS;
      if (!seen) held.count = Math.max(0, held.count - 1);
      if (deleted.has(id)) group?.pending.delete(id);
    }
  }

  async #sweep(): Promise<void> {
    const { group, leases } = this.#model;
    const before = await this.#consumerNames();
    const reply = await this.#link.commands.run(sweepConsumersScript, this.#keys, { sink: SINK, lease_ms: LEASE_MS });
    const holds = (name: string) => [...(group?.pending.values() ?? [])].some(({ consumer }) => consumer === name);
    const isOver = (name: string) => (leases.get(name) ?? 0) < 0;
    const goes = before.filter(name => isOver(name) && !holds(name));
    expect(reply).toEqual({ status: 'OK', deleted: goes.length, aged: 0 });
    expect(await this.#consumerNames()).toEqual(before.filter(name => !goes.includes(name)));
    if (group) for (const name of [...leases.keys()]) if (isOver(name) && !holds(name)) leases.delete(name);
  }

  async #pass(ms: number): Promise<void> {
    const { group, leases, scan, deleted } = this.#model;
    const { events, consumers, sinks } = this.#keys;
    for (const [id, held] of group?.pending ?? []) {
      held.idleMs += ms;
      if (deleted.has(id)) continue;
      const more = ['IDLE', held.idleMs, 'RETRYCOUNT', held.count, 'JUSTID'];
      await this.#link.commands.call('XCLAIM', events, SINK, held.consumer, 0, id, ...more);
    }
    for (const [name, leftMs] of leases) {
      leases.set(name, leftMs - ms);
      await this.#link.commands.call('ZINCRBY', consumers, -ms, name);
    }
    if (scan.leftMs > 0) await this.#link.commands.call('HINCRBY', sinks, `${SINK}:claimUntil`, -ms);
    scan.leftMs -= ms;
  }

  async #compare(): Promise<void> {
    const { group, leases, cursor } = this.#model;
    const scores = (await this.#link.commands.call('ZRANGE', this.#keys.consumers, 0, -1)) as Buffer[];
    expect(scores.map(String).sort()).toEqual([...leases.keys()].sort());
    if (!group) return;
    const rows = await this.#link.commands.call('XPENDING', this.#keys.events, SINK, '-', '+', 1000);
    const real = (rows as [Buffer, Buffer, number, number][]).map(row => [String(row[0]), String(row[1]), row[3]]);
    const ids = this.#sortedPending();
    expect(real).toEqual(ids.map(id => [id, group.pending.get(id)?.consumer, group.pending.get(id)?.count]));
    // A group made anew at the cursor gives everything that was pending again.
    expect(ids.filter(id => !isLess(cursor, id))).toEqual([]);
  }

  #picked(at: number, most: number): string[] {
    return this.#model.entries.slice(-12).slice(at, at + most);
  }

  #sortedPending(): string[] {
    return [...(this.#model.group?.pending.keys() ?? [])].sort((a, b) => (isLess(a, b) ? -1 : 1));
  }

  async #consumerNames(): Promise<string[]> {
    if (!this.#model.group) return [];
    const found = (await this.#link.commands.call('XINFO', 'CONSUMERS', this.#keys.events, SINK)) as Buffer[][];
    return found.map(fields => String(fields[1]));
  }

  #call(command: string, ...args: (string | number)[]): Promise<unknown> {
    return this.#link.commands.call(command, this.#keys.events, ...args);
  }
}

function isLess(a: string, b: string): boolean {
  const [aMs, aSequence] = a.split('-').map(BigInt) as [bigint, bigint];
  const [bMs, bSequence] = b.split('-').map(BigInt) as [bigint, bigint];
  return aMs === bMs ? aSequence < bSequence : aMs < bMs;
}

function texts(list: readonly unknown[]): (string | number)[] {
  return list.map(each => (typeof each === 'number' ? each : String(each)));
}
