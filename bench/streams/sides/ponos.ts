/** Streams and sinks as their users have them. */
import { EventStream, RedisLink, Sink } from '../../../src/engine/index.ts';
import { ageUs, inFlight, nowUs, paced, stamped } from '../../support/load.ts';

const STREAM = 'bench-';

let link: RedisLink;
let opened: EventStream[] = [];
let sink: Sink | undefined;
let progressed = { handled: 0, firstUs: 0, lastUs: 0 };
let agesUs: number[] = [];

export async function open(url: string): Promise<void> {
  link = await RedisLink.connect({ url });
}

export async function make(streams: number): Promise<void> {
  opened = [];
  for (let n = 0; n < streams; n++) opened.push(await EventStream.open(link, STREAM + n, { maxPayloadBytes: 2 ** 21 }));
}

function publisher(payload: string) {
  return (n: number) => (opened[n % opened.length] as EventStream).publish('event', payload);
}

export function publish(_streams: number, count: number, bytes: number, depth: number): Promise<number> {
  return inFlight(publisher('x'.repeat(bytes)), count, depth);
}

export async function publishPaced(count: number, perSecond: number, bytes: number): Promise<void> {
  await paced(() => publisher(stamped(bytes))(0), count, perSecond);
}

export async function start(name: string, streams: number, from: 'oldest' | 'newest'): Promise<void> {
  progressed = { handled: 0, firstUs: 0, lastUs: 0 };
  agesUs = [];
  const names = Array.from({ length: streams }, (_, n) => STREAM + n);
  const timed = from === 'newest';
  sink = await Sink.open(link, name, { streams: names, from }, ({ payload }) => {
    if (timed) agesUs.push(ageUs(payload));
    progressed.firstUs ||= nowUs();
    progressed.handled++;
    progressed.lastUs = nowUs();
  });
}

export const progress = () => ({ ...progressed, acked: sink?.stats.acked ?? 0 });
export const ages = () => agesUs;

export async function stop(): Promise<void> {
  await sink?.close();
}
