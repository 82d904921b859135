/**
 * The least that dispatching through Redis costs: one script records the job and hints to the worker, one records that
 * it started and tells the client; both by sharded pub/sub, over the plain client with the writes of a tick corked. No
 * leases, limits, ledger, duplicates or recovery.
 */
import type { Redis } from 'ioredis';
import { connectRaw, fail } from '../../support/raw-client.ts';
import * as loops from '../exchange.ts';

const DISPATCH = `
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local token = redis.call('HINCRBY', KEYS[2], 'token', 1)
redis.call('HSET', KEYS[1], 'state', 'assigned', 'worker', ARGV[1], 'token', token, 'payload', ARGV[3])
redis.call('SPUBLISH', ARGV[4], token .. ' ' .. ARGV[2] .. '\\n' .. ARGV[3])
return token`;
const STARTED = `
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'state', 'running')
redis.call('SPUBLISH', ARGV[3], ARGV[2])
return 1`;
const JOB = '{raw}:job:';
const MAILBOX = '{raw}:mailbox';
const REPLIES = '{raw}:replies';
const PAYLOAD = 'x'.repeat(100);

let redis: Redis;
let dispatchSha = '';
const waiting = new Map<string, () => void>();

async function listen(url: string, channel: string, hear: (message: string) => void): Promise<void> {
  const subscriber = await connectRaw(url);
  subscriber.on('smessage', (_channel: string, message: string) => hear(message));
  await subscriber.ssubscribe(channel);
}

export async function work(url: string): Promise<void> {
  redis = await connectRaw(url);
  const sha = (await redis.script('LOAD', STARTED)) as string;
  await listen(url, MAILBOX, message => {
    const [token = '', key = ''] = message.slice(0, message.indexOf('\n')).split(' ');
    redis.evalsha(sha, 1, JOB + key, token, key, REPLIES).catch(fail);
  });
}

export async function open(url: string): Promise<void> {
  redis = await connectRaw(url);
  dispatchSha = (await redis.script('LOAD', DISPATCH)) as string;
  await listen(url, REPLIES, key => {
    waiting.get(key)?.();
    waiting.delete(key);
  });
}

async function exchange(key: string): Promise<void> {
  const started = new Promise<void>(resolve => waiting.set(key, resolve));
  await redis.evalsha(dispatchSha, 2, JOB + key, '{raw}:config', 'worker-1', key, PAYLOAD, MAILBOX);
  await started;
}

export const oneAtATime = (prefix: string, count: number) => loops.oneAtATime({ exchange }, prefix, count);
export const inFlight = (prefix: string, count: number, depth: number) =>
  loops.inFlight({ exchange }, prefix, count, depth);
