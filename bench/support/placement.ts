/**
 * Which processor each process runs on. A round trip costs several times more or less depending on where the scheduler
 * puts the two ends, for a whole run; pinned, all sides meet the same. The server has a processor of its own, and the
 * processes of a benchmark share the others in turn.
 */
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

const processors = allowedProcessors();
export const pinned = processors.length > 1;

export function describePlacement(): string {
  if (!pinned) return 'processes not pinned: taskset is missing, or there is one processor';
  return `redis-server on processor ${processors[0]}, the others on ${processors.slice(1).join(', ')}`;
}

export function pinServer(pid: number): void {
  pin(pid, 0);
}

/** `index` counts the processes of one side. */
export function pinClient(pid: number, index: number): void {
  pin(pid, 1 + (index % Math.max(1, processors.length - 1)));
}

function pin(pid: number, at: number): void {
  if (pinned) spawnSync('taskset', ['-a', '-c', '-p', String(processors[at]), String(pid)]);
}

/** Empty when processes cannot be pinned here. */
function allowedProcessors(): number[] {
  const told = spawnSync('taskset', ['-c', '-p', String(process.pid)], { encoding: 'utf8' });
  if (told.status !== 0 || availableParallelism() < 2) return [];
  const list = told.stdout.slice(told.stdout.lastIndexOf(':') + 1).trim();
  return list.split(',').flatMap(part => {
    const [first = 0, last = first] = part.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, offset) => first + offset);
  });
}
