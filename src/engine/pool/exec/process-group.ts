import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** Signals every process of a group. False when there is none any more. */
export function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}

/**
 * True while a process of the group runs, as far as is known since `sinceMs` (monotonic, as `nowMs`). Zombies do not
 * count: where nobody reaps them, as in a container whose first process is no init, they stay for ever.
 */
export function isGroupAtWork(pid: number, nowMs: number, sinceMs: number): boolean {
  return signalGroup(pid, 0) && (groupsAtWork(nowMs, sinceMs)?.has(pid) ?? true);
}

/** Looking through all processes takes milliseconds: one look serves all that ask within this time. */
const LOOK_LASTS_MS = 50;
let looked: { atMs: number; groups: Set<number> } | undefined;

/** undefined where the system does not tell. */
function groupsAtWork(nowMs: number, sinceMs: number): ReadonlySet<number> | undefined {
  if (!existsSync('/proc/self/stat')) return undefined;
  if (!looked || looked.atMs < sinceMs || nowMs - looked.atMs > LOOK_LASTS_MS) {
    const groups = new Set<number>();
    for (const name of readdirSync('/proc')) if (/^\d+$/.test(name)) addGroup(name, groups);
    looked = { atMs: nowMs, groups };
  }
  return looked.groups;
}

function addGroup(process: string, groups: Set<number>): void {
  try {
    const stat = readFileSync(`/proc/${process}/stat`, 'utf8');
    // The name of the program, in parentheses, may hold anything.
    const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (state !== 'Z' && state !== 'X') groups.add(Number(group));
  } catch {
    // It ended meanwhile.
  }
}
