/** Maps as their users have them. Each replica has a link of its own, as in a process of its own. */
import { MapClient, RedisLink, ReplicatedMap } from '../../../src/engine/index.ts';
import { ageUs, inFlight, nowUs, paced, stamped } from '../../support/load.ts';

const NAME = 'bench';
const KEYS = 1000;
const LIMITS = { maxValueBytes: 2 ** 21, maxBytes: 2 ** 30 };

let url = '';
let client: MapClient;
const replicas: ReplicatedMap[] = [];
let agesUs: number[] = [];
let ended: { token: string; atUs: number }[] = [];

export async function open(address: string): Promise<void> {
  url = address;
  client = await MapClient.open(await RedisLink.connect({ url }), NAME, LIMITS);
}

export const set = (count: number, bytes: number, depth: number) =>
  inFlight(n => client.set(`key-${n % KEYS}`, stamped(bytes)), count, depth);
export const setPaced = (count: number, perSecond: number, bytes: number) =>
  paced(n => client.set(`key-${n % KEYS}`, stamped(bytes)), count, perSecond);

export async function end(token: string): Promise<void> {
  await client.set('end', token);
}

export async function join(count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    const replica = await ReplicatedMap.join(await RedisLink.connect({ url }), NAME, LIMITS);
    replicas.push(replica);
    replica.events.on('change', ({ key, value = '' }) => {
      if (key === 'end') ended.push({ token: value, atUs: nowUs() });
      else agesUs.push(ageUs(value));
    });
  }
}

export function endedAtUs(token: string): number | null {
  const times = ended.filter(each => each.token === token).map(({ atUs }) => atUs);
  return times.length < replicas.length ? null : Math.max(...times);
}

export function forget(): void {
  agesUs = [];
  ended = [];
}

export const ages = () => agesUs;

export function gets(count: number): { perSecond: number } {
  const replica = replicas[0] as ReplicatedMap;
  const keys = [...replica.keys()];
  let found = 0;
  const startUs = nowUs();
  for (let n = 0; n < count; n++) if (replica.get(keys[n % keys.length] as string) !== undefined) found++;
  return { perSecond: (found / (nowUs() - startUs)) * 1e6 };
}
