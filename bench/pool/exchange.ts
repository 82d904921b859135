/** How an exchange is timed: the same loops for every side. */

export interface Exchange {
  /** Hands over a job and resolves when what is measured of it has happened. */
  exchange(key: string): Promise<unknown>;
}

/** Microseconds of each, one after the other. */
export async function oneAtATime(side: Exchange, prefix: string, count: number): Promise<number[]> {
  const tookUs: number[] = [];
  for (let n = 0; n < count; n++) {
    const start = process.hrtime.bigint();
    await side.exchange(`${prefix}${n}`);
    tookUs.push(Number(process.hrtime.bigint() - start) / 1000);
  }
  return tookUs;
}

/** Seconds for all of them, `depth` under way at any time. */
export async function inFlight(side: Exchange, prefix: string, count: number, depth: number): Promise<number> {
  const start = process.hrtime.bigint();
  let next = 0;
  const lane = async () => {
    while (next < count) await side.exchange(`${prefix}${next++}`);
  };
  await Promise.all(Array.from({ length: depth }, lane));
  return Number(process.hrtime.bigint() - start) / 1e9;
}
