/**
 * The crash sweep of sinks: a process ends just before or just after one script, then one healthy process joins. Each
 * event must have been handled to its end at least once, or be a dead letter exactly once; nothing is pending, the cursor
 * is at the end, the counters add up, and only the living consumer is left.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { newId } from '../../../../src/engine/core/ids.ts';
import { showSink } from '../../../../src/engine/inspect/streams.ts';
import { RedisLink } from '../../../../src/engine/redis/link.ts';
import { parseDeadEntry } from '../../../../src/engine/streams/dead-entry.ts';
import type { RawEntry } from '../../../../src/engine/streams/event.ts';
import { Sink } from '../../../../src/engine/streams/sink.ts';
import { type Crash, runVictim, sweepOver } from '../../crash.ts';
import { CLAIM_MS, DEADLY, handlerOf, type Kind, OPTIONS, SINK, SLOW_MS, STREAMS } from './kinds.ts';
import type { VictimOptions } from './victim.ts';

/** What a consumer says to Redis. */
export const SCRIPTS = [
  'join_sink',
  'beat',
  'claim',
  'retake',
  'ack',
  'dead_letter',
  'leave_sink',
  'sweep_consumers',
].map(name => `streams.${name}`);
/** Events of a lane go one after the other, and some take their time. */
export const LIMIT_MS = CLAIM_MS + 3 * SLOW_MS + 1500;

export interface Verdict {
  crash: Crash;
  /** From when a healthy process came until every event was over. */
  tookMs: number;
  lost: number;
  /** Handled to the end more than once. */
  repeated: number;
  problems: string[];
}

const VICTIM = join(import.meta.dirname, 'victim.ts');
const FOLDER = join(import.meta.dirname, '..', '..', '..', '..', '.test-history');
const LOOK_EVERY_MS = 20;
/** Past the limit it is only told how long it took. */
const GIVE_UP_MS = 30_000;

export function sweep(crashes: readonly Crash[], url: string, atOnce: number): Promise<Verdict[]> {
  return sweepOver(crashes, atOnce, crash => recoverFrom(crash, url));
}

async function recoverFrom(crash: Crash, url: string): Promise<Verdict> {
  const folder = join(FOLDER, `sink-sweep-${crash.script}-${crash.nth}-${crash.when}-${newId()}`);
  mkdirSync(folder, { recursive: true });
  const journal = join(folder, 'victim.txt');
  writeFileSync(journal, '');
  const prefix = `sweep-${newId()}`;
  const options: VictimOptions = { ...crash, url, prefix, journal };
  const fault = await runVictim(VICTIM, options);
  if (fault !== undefined) return { crash, tookMs: 0, lost: 0, repeated: 0, problems: [fault] };
  const link = await RedisLink.connect({ url, prefix });
  const done = readFileSync(journal, 'utf8').split('\n').filter(Boolean);
  const startMs = performance.now();
  const sink = await Sink.open(
    link,
    SINK,
    OPTIONS,
    handlerOf(({ id, stream }) => void done.push(`${stream} ${id}`)),
  );
  const settle = async (find: () => Promise<string[]>) => {
    for (;;) {
      const wrong = await find();
      if (wrong.length === 0 || performance.now() - startMs > GIVE_UP_MS) return wrong;
      await new Promise(resolve => setTimeout(resolve, LOOK_EVERY_MS));
    }
  };
  const open = await settle(() => forEachStream(stream => findOpen(link, stream, done)));
  const tookMs = performance.now() - startMs;
  const disorder = await settle(() => forEachStream(stream => findDisorder(link, stream, sink.consumer)));
  await sink.close();
  for await (const names of link.commands.scanKeys(`${prefix}:*`)) await link.commands.call('UNLINK', ...names);
  await link.close();
  const problems = [...open, ...disorder];
  if (problems.length === 0) await rm(folder, { recursive: true });
  const lost = open.filter(what => what.endsWith('is lost')).length;
  return { crash, tookMs, lost, repeated: done.length - new Set(done).size, problems };
}

async function forEachStream(find: (stream: string) => Promise<string[]>): Promise<string[]> {
  return (await Promise.all(STREAMS.map(find))).flat();
}

/** Events that are not over. Empty as soon as all of them are. */
async function findOpen(link: RedisLink, stream: string, done: readonly string[]): Promise<string[]> {
  const { events, dead } = link.keys.stream(stream);
  const entries = (await link.commands.call('XRANGE', events, '-', '+')) as RawEntry[];
  const letters = (await link.commands.call('XRANGE', dead(SINK), '-', '+')) as RawEntry[];
  const deadIds = letters.map(([, fields]) => parseDeadEntry(fields ?? []).origin.id);
  const { pendingCount, lag } = await showSink(link, stream, SINK);
  const wrong: string[] = [];
  for (const [rawId, fields] of entries) {
    const id = String(rawId);
    const kind = String(fields?.[1]) as Kind;
    const isDone = done.includes(`${stream} ${id}`);
    const deadCount = deadIds.filter(each => each === id).length;
    const isDeadly = DEADLY.includes(kind);
    if (deadCount !== (isDeadly ? 1 : 0)) wrong.push(`${kind} ${id} is ${deadCount} times a dead letter`);
    if (kind === 'filtered' ? isDone : !isDeadly && !isDone) wrong.push(`${kind} ${id} ${isDone ? 'ran' : 'is lost'}`);
  }
  if (pendingCount > 0) wrong.push(`${pendingCount} are pending on ${stream}`);
  if (lag.count !== 0) wrong.push(`${lag.count} are unread on ${stream}`);
  return wrong;
}

/** What Redis says of the sink when all events are over. */
async function findDisorder(link: RedisLink, stream: string, alive: string): Promise<string[]> {
  const { events, sinks, consumers } = link.keys.stream(stream);
  const names = ['acked', 'filtered', 'dead', 'lost', 'cursor'];
  const [acked, filtered, dead, lost, cursor] = (
    (await link.commands.call('HMGET', sinks, ...names.map(name => `${SINK}:${name}`))) as (Buffer | null)[]
  ).map(value => String(value ?? 0));
  const [last] = (await link.commands.call('XREVRANGE', events, '+', '-', 'COUNT', 1)) as RawEntry[];
  const length = Number(await link.commands.call('XLEN', events));
  const leases = (await link.commands.call('ZRANGE', consumers(SINK), 0, -1)) as Buffer[];
  const known = (await showSink(link, stream, SINK)).consumers.map(({ name }) => name);
  const wrong: string[] = [];
  if (cursor !== String(last?.[0])) wrong.push(`the cursor of ${stream} is ${cursor}, the end ${last?.[0]}`);
  const counted = Number(acked) + Number(filtered) + Number(dead);
  if (counted !== length || lost !== '0') wrong.push(`${stream} counts ${counted} of ${length}, and ${lost} lost`);
  for (const name of [...known, ...leases.map(String)]) if (name !== alive) wrong.push(`${name} is still there`);
  return wrong;
}
