/**
 * A program of its own: kills the process groups of jobs whose worker lost its lease or its life. It shares no event loop
 * with the worker, so it works when the worker is stopped, blocked or gone, and it outlives the worker.
 *
 * Told over standard input, one JSON value a line: `{"guard": pid}`, `{"release": pid}`, `{"deadline": {...}}` with the moment
 * from which nothing guarded may be alive; null when nothing guarded is at work. The end of standard input is the end of
 * the worker: the groups get SIGTERM, and SIGKILL after the grace given as first argument,
 * or at the deadline if that is sooner. It ends when nothing is guarded any more.
 *
 * It stands apart from the engine's rules (no signals, no standard streams) because it is a process and not a library.
 */
import { createInterface } from 'node:readline';
import { earlier, leftUntil, type Moment, momentIn } from '../moment.ts';

type Order = { guard?: number; release?: number; deadline?: Moment | null };

/** A suspended machine runs its timers late by the time it slept: never trust one for long. */
const LOOK_EVERY_MS = 100;

const graceMs = Number(process.argv[2] ?? 0);
const groups = new Set<number>();
let deadline: Moment | null = null;
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
  const last = momentIn(() => graceMs);
  deadline = deadline ? earlier(deadline, last) : last;
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
  if (deadline && leftUntil(deadline) <= 0) {
    for (const group of groups) signalGroup(group, 'SIGKILL');
    groups.clear();
  }
  if (groups.size > 0) looking = setTimeout(look, LOOK_EVERY_MS);
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
