/**
 * A point of time that every process of this machine understands, on its monotonic clock (one for all its processes, unlike
 * the engine's, which counts from the start of each) and its wall clock. Sent instead of a span, because a message that is
 * read late must not extend anything.
 */
export interface Moment {
  monotonicMs: number;
  wallMs: number;
}

export function presentMoment(): Moment {
  return { monotonicMs: Number(process.hrtime.bigint() / 1_000_000n), wallMs: Date.now() };
}

/** In `leftMs()` from now. The clocks are read first: time lost in between makes it earlier, never later. */
export function momentIn(leftMs: () => number): Moment {
  const { monotonicMs, wallMs } = presentMoment();
  const left = Math.floor(leftMs());
  return { monotonicMs: monotonicMs + left, wallMs: wallMs + left };
}

/** Negative when it is over. The clock that is nearer counts: the monotonic one stands still while a machine is suspended. */
export function leftUntil({ monotonicMs, wallMs }: Moment): number {
  const now = presentMoment();
  return Math.min(monotonicMs - now.monotonicMs, wallMs - now.wallMs);
}

export function earlier(a: Moment, b: Moment): Moment {
  return { monotonicMs: Math.min(a.monotonicMs, b.monotonicMs), wallMs: Math.min(a.wallMs, b.wallMs) };
}
