import { cliCommand } from '../cli-command.ts';
import type { NodeSnapshot } from '../model.ts';
import { tableView } from '../table/table.ts';
import { formatCount, formatDuration } from '../text/format.ts';
import { showState, stateRole } from './states.ts';

export const nodesView = tableView<NodeSnapshot>({
  id: 'nodes',
  noun: 'node',
  crumb: at => `nodes(${at.pool || 'no pool'})`,
  rows: (snapshot, at) => (at.pool ? (snapshot.nodes.get(at.pool) ?? null) : emptyWhenRead(snapshot.pools)),
  identity: node => node.id,
  empty: 'no node is in this pool; one joins with: ponos worker start',
  sort: { column: 'NODE', descending: false },
  columns: [
    {
      title: 'NODE',
      min: 16,
      ideal: 18,
      grow: 1,
      priority: 99,
      cut: 'middle',
      text: node => node.id,
      order: node => node.id,
    },
    { title: 'STATE', min: 10, ideal: 10, priority: 90, ...state() },
    {
      title: 'WORKERS',
      min: 7,
      ideal: 7,
      priority: 70,
      align: 'right',
      text: node => formatCount(node.workerCount),
      order: node => node.workerCount,
    },
    {
      title: 'JOBS',
      min: 5,
      ideal: 7,
      priority: 80,
      align: 'right',
      text: node => formatCount(node.jobCount),
      order: node => node.jobCount,
    },
    { title: 'HOST', min: 8, ideal: 16, grow: 1, priority: 50, text: node => node.host, order: node => node.host },
    { title: 'PID', min: 7, ideal: 7, priority: 40, align: 'right', text: node => String(node.pid) },
    {
      title: 'UP',
      min: 6,
      ideal: 6,
      priority: 60,
      align: 'right',
      text: (node, { nowMs }) => formatDuration(nowMs - node.startedAtMs),
      order: node => -node.startedAtMs,
    },
    { title: 'VERSION', min: 7, ideal: 8, priority: 30, text: node => node.version },
  ],
  isProblem: node => node.state !== 'ALIVE',
  item: (node, _scene, at) => ({
    noun: 'node',
    name: node.id,
    open: { view: 'workers', pool: at.pool ?? '', node: node.id },
    command: cliCommand('worker', 'list', [], { pool: at.pool ?? '' }),
    offers: [],
  }),
  command: at => cliCommand('worker', 'list', [], { pool: at.pool ?? '' }),
  focus: place => (place.at.pool ? { view: 'nodes', pool: place.at.pool } : { view: 'overview' }),
});

function state() {
  return {
    text: (node: NodeSnapshot, scene: Parameters<typeof showState>[1]) => showState(node.state, scene),
    role: (node: NodeSnapshot) => stateRole(node.state),
    order: (node: NodeSnapshot) => node.state,
  };
}

/** Without a pool there is nothing of it; before the pools were read nobody knows. */
export function emptyWhenRead(pools: readonly unknown[] | null): readonly never[] | null {
  return pools === null ? null : [];
}
