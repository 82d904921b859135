/** How work is offered and timed: the same loops for every side. */
import { setTimeout as wait } from 'node:timers/promises';

/** One clock for all processes of the machine. */
export function nowUs(): number {
  return Number(process.hrtime.bigint()) / 1000;
}

/** Seconds for `count` of them, `depth` under way at any time. */
export async function inFlight(
  act: (n: number, lane: number) => Promise<unknown>,
  count: number,
  depth: number,
): Promise<number> {
  const startUs = nowUs();
  let next = 0;
  const run = async (_: unknown, lane: number) => {
    while (next < count) await act(next++, lane);
  };
  await Promise.all(Array.from({ length: depth }, run));
  return (nowUs() - startUs) / 1e6;
}

/** Begins `count` of them, so many a second, whether or not the earlier ones are done; resolves when all are. */
export async function paced(act: (n: number) => Promise<unknown>, count: number, perSecond: number): Promise<void> {
  const startUs = nowUs();
  const underWay: Promise<unknown>[] = [];
  for (let n = 0; n < count; ) {
    const due = Math.min(count, Math.floor(((nowUs() - startUs) / 1e6) * perSecond) + 1);
    for (; n < due; n++) underWay.push(act(n));
    await wait(1);
  }
  await Promise.all(underWay);
}

/** A text of `bytes`, which begins with the time. */
export function stamped(bytes: number): string {
  return `${nowUs().toFixed(1)} `.padEnd(bytes, 'x');
}

/** How long ago that was. */
export function ageUs(text: string | Buffer): number {
  return nowUs() - Number.parseFloat(typeof text === 'string' ? text : text.toString('latin1', 0, 32));
}
