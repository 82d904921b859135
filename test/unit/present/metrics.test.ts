import { describe, expect, it } from 'vitest';
import type { SinkSnapshot, Survey } from '../../../src/engine/index.ts';
import { toMetrics } from '../../../src/present/metrics.ts';
import { Exposition } from '../../support/exposition.ts';
import { pool, worker } from '../../ui/fixtures.ts';

const NOTHING: Survey = {
  server: null,
  health: [],
  pools: [],
  streams: [],
  sinks: [],
  maps: [],
  broken: [],
  gaps: new Map(),
  leftOut: { pools: 0, streams: 0, maps: 0 },
};

const SINK: SinkSnapshot = {
  name: 'k',
  stream: 's',
  consumerCount: 0,
  pendingCount: 0,
  lag: { count: 0, exact: true },
  oldestPendingMs: null,
  lastDeliveredId: '0-0',
  redeliveredTotal: 0,
  deadCount: 0,
  filteredTotal: 0,
  lostTotal: 0,
  attendedAtMs: null,
  consumers: [],
};

async function expose(survey: Partial<Survey>): Promise<Exposition> {
  const options = { version: '1.2.3', perWorker: false, tookMs: 5 };
  return new Exposition(await toMetrics({ ...NOTHING, ...survey }, options).metrics());
}

describe('metrics', () => {
  it('say nothing of what is not known', async () => {
    const sinks = [
      { ...SINK, lag: { count: null, exact: false } },
      { ...SINK, name: 'other' },
    ];
    const shown = await expose({ sinks });
    expect(shown.value('ponos_sink_lag_events', { sink: 'k' })).toBeUndefined();
    expect(shown.value('ponos_sink_lag_exact', { sink: 'k' })).toBeUndefined();
    expect(shown.value('ponos_sink_lag_events', { sink: 'other' })).toBe(0);
    expect(shown.value('ponos_sink_oldest_pending_seconds', { sink: 'other' })).toBeUndefined();
    expect((await expose({})).series.map(({ name }) => name).sort()).toEqual([
      'ponos_build_info',
      ...Array(3).fill('ponos_left_out'),
      'ponos_scrape_duration_seconds',
      ...Array(3).fill('ponos_unreadable'),
      ...Array(5).fill('ponos_up'),
    ]);
  });

  it('say which lag is an estimate, and ages in seconds', async () => {
    const shown = await expose({ sinks: [{ ...SINK, lag: { count: 7, exact: false }, oldestPendingMs: 1500 }] });
    expect(shown.value('ponos_sink_lag_events')).toBe(7);
    expect(shown.value('ponos_sink_lag_exact')).toBe(0);
    expect(shown.value('ponos_sink_oldest_pending_seconds')).toBe(1.5);
  });

  it('tell of the groups of a pool in which jobs wait, and of those that no worker takes from', async () => {
    const workers = [worker('a', { group: 'default' }), worker('b', { group: 'slow', state: 'DRAINING' })];
    const waiting = ['default', 'slow', 'heavy', 'calm'].map((group, at) => ({
      group,
      waitingCount: [2, 3, 4, 0][at] ?? 0,
    }));
    const shown = await expose({ pools: [{ pool: pool('p'), workers, oldestPendingMs: null, waiting }] });
    const values = (name: string) => waiting.map(({ group }) => shown.value(name, { group }));
    expect(values('ponos_pool_group_pending_jobs')).toEqual([2, 3, 4, 0]);
    expect(values('ponos_pool_group_unserved')).toEqual([0, 1, 1, 0]);
  });

  it('tell which part could not be read, and how much of it where that is known', async () => {
    const error = new Error('x');
    const shown = await expose({
      gaps: new Map([
        ['streams', { count: 2, error }],
        ['pools', { count: null, error }],
      ]),
    });
    const values = (name: string, labels: Record<string, string>[]) => labels.map(each => shown.value(name, each));
    expect(values('ponos_up', [{ part: 'streams' }, { part: 'pools' }, { part: 'maps' }])).toEqual([0, 0, 1]);
    const kinds = [{ kind: 'streams' }, { kind: 'pools' }, { kind: 'maps' }];
    expect(values('ponos_unreadable', kinds)).toEqual([2, undefined, 0]);
    expect(values('ponos_left_out', kinds)).toEqual([0, undefined, 0]);
  });

  it('carry any name as a label', async () => {
    for (const name of ['"', '\\', 'a\nb', '{}=,', '\u001b[2J', 'é']) {
      const shown = await expose({ sinks: [{ ...SINK, name }] });
      expect(shown.value('ponos_sink_pending_events', { sink: name })).toBe(0);
    }
    const shown = await expose({ sinks: [{ ...SINK, name: 'a\udcff' }] });
    expect(shown.value('ponos_sink_pending_events', { sink: 'a\ufffd' })).toBe(0);
  });
});
