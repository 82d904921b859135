/**
 * The least that events through Redis cost: XADD, XREADGROUP COUNT 100, and XACK of a whole batch, which is under way while
 * the next one is read; over the plain client. No claims, heartbeats, retries, dead letters, counters or checks.
 */
import type { Redis } from 'ioredis';
import { ageUs, inFlight, nowUs, paced, stamped } from '../../support/load.ts';
import { connectRaw, fail } from '../../support/raw-client.ts';

const COUNT = 100;
const BLOCK_MS = 2000;
const STREAM = 'raw:';

let url = '';
let redis: Redis;
let reader: Redis | undefined;
let reading: Promise<void> | undefined;
let stopped = false;
let progressed = { handled: 0, acked: 0, firstUs: 0, lastUs: 0 };
let agesUs: number[] = [];

export async function open(address: string): Promise<void> {
  url = address;
  redis = await connectRaw(url);
}

export async function make(streams: number): Promise<void> {
  for (let n = 0; n < streams; n++) await redis.xgroup('CREATE', STREAM + n, 'made', '$', 'MKSTREAM');
}

function publisher(streams: number, payload: string) {
  return (n: number) => redis.xadd(STREAM + (n % streams), 'NOMKSTREAM', '*', 'n', 'event', 'p', payload);
}

export function publish(streams: number, count: number, bytes: number, depth: number): Promise<number> {
  return inFlight(publisher(streams, 'x'.repeat(bytes)), count, depth);
}

export async function publishPaced(count: number, perSecond: number, bytes: number): Promise<void> {
  await paced(() => publisher(1, stamped(bytes))(0), count, perSecond);
}

/** Begins to read all streams as one consumer of a group. */
export async function start(group: string, streams: number, from: 'oldest' | 'newest'): Promise<void> {
  const keys = Array.from({ length: streams }, (_, n) => STREAM + n);
  for (const key of keys) {
    await redis.xgroup('CREATE', key, group, from === 'oldest' ? '0' : '$').catch((error: Error) => {
      if (!error.message.startsWith('BUSYGROUP')) throw error;
    });
  }
  reader = await connectRaw(url);
  stopped = false;
  progressed = { handled: 0, acked: 0, firstUs: 0, lastUs: 0 };
  agesUs = [];
  reading = read(reader, group, keys, from === 'newest');
  reading.catch(error => {
    if (!stopped) fail(error);
  });
}

async function read(client: Redis, group: string, keys: string[], timed: boolean): Promise<void> {
  const operands = ['GROUP', group, `consumer-${process.pid}`, 'COUNT', COUNT, 'BLOCK', BLOCK_MS, 'STREAMS'];
  while (!stopped) {
    const reply = await client.callBuffer('XREADGROUP', [...operands, ...keys, ...keys.map(() => '>')]);
    for (const [key, entries] of (reply as [Buffer, [Buffer, Buffer[]][]][] | null) ?? []) {
      progressed.firstUs ||= nowUs();
      const ids = entries.map(([id, fields]) => {
        handle(fields[3] as Buffer, timed);
        return id;
      });
      redis.xack(key, group, ...ids).then(acked => {
        progressed.acked += acked;
      }, fail);
    }
  }
}

function handle(payload: Buffer, timed: boolean): void {
  if (timed) agesUs.push(ageUs(payload));
  progressed.handled++;
  progressed.lastUs = nowUs();
}

export const progress = () => progressed;
export const ages = () => agesUs;

export async function stop(): Promise<void> {
  stopped = true;
  reader?.disconnect();
  await reading?.catch(() => {});
}
