/**
 * A program of its own: kills the process groups of jobs whose worker lost its lease or its life. It shares no event loop
 * with the worker, so it works when the worker is stopped, blocked or gone, and it outlives the worker.
 *
 * Told over standard input, one JSON value a line: `{"guard": pid}`, `{"release": pid}`, `{"deadline": {...}}` with the moment
 * from which nothing guarded may be alive, on this machine's monotonic clock (one for all its processes) and wall clock;
 * whichever is reached first counts, because the monotonic one stands still while a machine is suspended. The end of
 * standard input is the end of the worker: the groups get SIGTERM, and SIGKILL after the grace given as first argument,
 * or at the deadline if that is sooner. It ends when nothing is guarded any more.
 *
 * It stands apart from the engine's rules (no signals, no standard streams) because it is a process and not a library.
 */
import { createInterface } from 'node:readline';

interface Deadline {
  monotonicMs: number;
  wallMs: number;
}
type Order = { guard?: number; release?: number; deadline?: Deadline };

/** A suspended machine runs its timers late by the time it slept: never trust one for long. */
const LOOK_EVERY_MS = 100;

const graceMs = Number(process.argv[2] ?? 0);
const groups = new Set<number>();
let deadline: Deadline | undefined;
let orphaned = false;
let looking: NodeJS.Timeout | undefined;

// A terminal's Ctrl-C, or a supervisor's SIGTERM to everybody, must not leave jobs unguarded.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

const lines = createInterface({ input: process.stdin });
lines.on('line', line => {
  obey(JSON.parse(line) as Order);
  look();
});
lines.on('close', () => {
  orphaned = true;
  const now = present();
  const last = { monotonicMs: now.monotonicMs + graceMs, wallMs: now.wallMs + graceMs };
  deadline = earlier(deadline, last);
  for (const group of groups) signalGroup(group, 'SIGTERM');
  look();
});
process.stdout.on('error', () => {});
process.stdout.write('ready\n');

function obey(order: Order): void {
  if (order.guard !== undefined) groups.add(order.guard);
  if (order.release !== undefined) groups.delete(order.release);
  if (order.deadline !== undefined) deadline = order.deadline;
}

function look(): void {
  clearTimeout(looking);
  if (orphaned) for (const group of groups) if (!signalGroup(group, 0)) groups.delete(group);
  if (deadline && isOver(deadline)) {
    for (const group of groups) signalGroup(group, 'SIGKILL');
    groups.clear();
  }
  if (groups.size > 0) looking = setTimeout(look, LOOK_EVERY_MS);
}

function present(): Deadline {
  return { monotonicMs: Number(process.hrtime.bigint() / 1_000_000n), wallMs: Date.now() };
}

function isOver({ monotonicMs, wallMs }: Deadline): boolean {
  const now = present();
  return now.monotonicMs >= monotonicMs || now.wallMs >= wallMs;
}

function earlier(a: Deadline | undefined, b: Deadline): Deadline {
  if (!a) return b;
  return { monotonicMs: Math.min(a.monotonicMs, b.monotonicMs), wallMs: Math.min(a.wallMs, b.wallMs) };
}

/** False when the group is gone. */
function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-group, signal);
    return true;
  } catch {
    return false;
  }
}
