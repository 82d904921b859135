import type { View, ViewId } from '../view.ts';
import { eventsView } from './events.ts';
import { guardView } from './guard.ts';
import { jobView } from './job.ts';
import { jobsView } from './jobs.ts';
import { entriesView, mapsView } from './maps.ts';
import { nodesView } from './nodes.ts';
import { overviewView } from './overview.ts';
import { pendingView, sinksView } from './sinks.ts';
import { streamsView } from './streams.ts';
import { tailView } from './tail.ts';
import { valueView } from './value.ts';
import { workersView } from './workers.ts';

export const views: Readonly<Record<ViewId, View>> = guardAll({
  overview: overviewView,
  nodes: nodesView,
  workers: workersView,
  jobs: jobsView,
  job: jobView,
  streams: streamsView,
  sinks: sinksView,
  pending: pendingView,
  tail: tailView,
  maps: mapsView,
  entries: entriesView,
  value: valueView,
  events: eventsView,
});

export interface Tab {
  view: ViewId;
  title: string;
  /** Whether it shows one pool. */
  ofPool: boolean;
}

/** In the order of their keys, 1 to 7. */
export const tabs: readonly Tab[] = [
  { view: 'overview', title: 'Overview', ofPool: false },
  { view: 'nodes', title: 'Nodes', ofPool: true },
  { view: 'workers', title: 'Workers', ofPool: true },
  { view: 'jobs', title: 'Jobs', ofPool: true },
  { view: 'streams', title: 'Streams', ofPool: false },
  { view: 'maps', title: 'Maps', ofPool: false },
  { view: 'events', title: 'Events', ofPool: true },
];

function guardAll(all: Record<ViewId, View>): Record<ViewId, View> {
  return Object.fromEntries(Object.entries(all).map(([id, view]) => [id, guardView(view)])) as Record<ViewId, View>;
}
