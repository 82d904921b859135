/**
 * A replicated map over the plain client: a script that writes an entry and publishes it, and replicas that put what they hear
 * into a Map. What is too large for a message is fetched, as the engine does. No joins, gaps, limits or repeated writes.
 */
import type { Redis } from 'ioredis';
import { ageUs, inFlight, nowUs, paced, stamped } from '../../support/load.ts';
import { connectRaw, fail } from '../../support/raw-client.ts';

export const CHANNEL = '{raw}:changes';
export const DATA = '{raw}:data';
const KEYS = 1000;

export interface PlainMap {
  script: string;
  /** Operands of EVALSHA after the digest. */
  operands(key: string, value: string, n: number, lane: number): (string | number)[];
  /** The value is undefined when it is to be fetched. */
  parse(message: Buffer): { key: string; value: string | undefined };
}

export function plainSide({ script, operands, parse }: PlainMap) {
  let url = '';
  let redis: Redis;
  let sha = '';
  const copies: Map<string, string>[] = [];
  let agesUs: number[] = [];
  let ended: { token: string; atUs: number }[] = [];
  const set = (key: string, value: string, n: number, lane: number) =>
    redis.evalsha(sha, ...(operands(key, value, n, lane) as [number, ...string[]]));

  const show = (copy: Map<string, string>, key: string, value: string) => {
    copy.set(key, value);
    if (key === 'end') ended.push({ token: value, atUs: nowUs() });
    else agesUs.push(ageUs(value));
  };
  const join = async () => {
    const copy = new Map<string, string>();
    copies.push(copy);
    const subscriber = await connectRaw(url);
    subscriber.on('smessageBuffer', (_channel: Buffer, message: Buffer) => {
      const { key, value } = parse(message);
      if (value !== undefined) show(copy, key, value);
      else redis.hget(DATA, key).then(found => show(copy, key, found ?? ''), fail);
    });
    await subscriber.ssubscribe(CHANNEL);
  };
  let number = 0;
  return {
    async open(address: string) {
      url = address;
      redis = await connectRaw(url);
      sha = (await redis.script('LOAD', script)) as string;
    },
    set: (count: number, bytes: number, depth: number) =>
      inFlight((n, lane) => set(`key-${n % KEYS}`, stamped(bytes), ++number, lane), count, depth),
    setPaced: (count: number, perSecond: number, bytes: number) =>
      paced(n => set(`key-${n % KEYS}`, stamped(bytes), ++number, n), count, perSecond),
    async end(token: string) {
      await set('end', token, ++number, 0);
    },
    async join(replicas: number) {
      for (let n = 0; n < replicas; n++) await join();
    },
    /** When the last of the replicas here showed the end; null before. */
    endedAtUs(token: string) {
      const times = ended.filter(each => each.token === token).map(({ atUs }) => atUs);
      return times.length < copies.length ? null : Math.max(...times);
    },
    forget() {
      agesUs = [];
      ended = [];
    },
    ages: () => agesUs,
    gets(count: number) {
      const copy = copies[0] as Map<string, string>;
      const keys = [...copy.keys()];
      let found = 0;
      const startUs = nowUs();
      for (let n = 0; n < count; n++) if (copy.get(keys[n % keys.length] as string) !== undefined) found++;
      return { perSecond: (found / (nowUs() - startUs)) * 1e6 };
    },
  };
}
