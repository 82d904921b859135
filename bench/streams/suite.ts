/** Streams and sinks against the plain client doing the same work, and what grows with what. */
import { type Comparison, compare, type Metric } from '../support/compare.ts';
import type { Column, Section } from '../support/report.ts';
import type { BenchServer } from '../support/server.ts';
import { runSections, type SectionOptions, type Sections, type SuiteOptions } from '../support/suite.ts';
import { IN_FLIGHT, type Load, StreamBench } from './measure.ts';

const ONE: Load = { streams: 1, bytes: 100, consumers: 1 };
const by = (name: string, values: readonly number[]): Load[] => values.map(value => ({ ...ONE, [name]: value }));
const BYTES = by('bytes', [100, 10_240, 1_048_576]);
const STREAMS = by('streams', [1, 100, 1000]);
const CONSUMERS = by('consumers', [1, 8]);

const COSTS: Metric[] = [
  { key: 'cpuUs', header: 'CPU us', digits: 1, ofFirstSide: true },
  { key: 'clientCpuUs', header: 'clients', digits: 1 },
  { key: 'redisCpuUs', header: 'redis', digits: 1 },
];
const RATE: Metric = { key: 'perSecond', header: 'events/s', ofFirstSide: true };
const GROWING: Metric[] = [{ ...RATE, ofFirstCase: true }, ...COSTS];

type What = 'publish' | 'consume' | 'latency';

function section(
  what: What,
  table: Pick<Comparison<Load>, 'name' | 'title' | 'cases' | 'metrics'> & { shown?: Column[]; fewer?: boolean },
) {
  return async (server: BenchServer, { quick, onProgress }: SectionOptions): Promise<Section[]> => {
    const bench = new StreamBench(server, quick);
    return [
      await compare({
        shown: [],
        ...table,
        sides: ['raw', 'ponos'],
        rounds: quick ? 2 : table.fewer ? 5 : 7,
        measure: (side, load) => bench[what](side, load),
        onProgress,
      }),
    ];
  };
}

const SECTIONS: Sections = {
  publish: section('publish', {
    name: 'publish',
    title: `Publish, ${IN_FLIGHT} in flight (fewer of 1 MB)`,
    cases: BYTES,
    shown: [{ key: 'bytes', header: 'bytes' }],
    metrics: [RATE, ...COSTS],
  }),
  consume: section('consume', {
    name: 'consume',
    title: 'A backlog read, handled and acknowledged by one consumer',
    cases: BYTES,
    shown: [{ key: 'bytes', header: 'bytes' }],
    metrics: [RATE, ...COSTS],
  }),
  latency: section('latency', {
    name: 'latency',
    title: 'Publish to handler at 1,000 events a second (payload of 100 bytes)',
    cases: [ONE],
    metrics: [
      { key: 'p50Us', header: 'p50 us', ofFirstSide: true },
      { key: 'p99Us', header: 'p99 us', ofFirstSide: true },
      ...COSTS,
    ],
  }),
  'publish-streams': section('publish', {
    name: 'publish-streams',
    title: `Publish to streams in turn, ${IN_FLIGHT} in flight (payload of 100 bytes)`,
    cases: STREAMS,
    shown: [{ key: 'streams', header: 'streams' }],
    metrics: GROWING,
    fewer: true,
  }),
  'consume-streams': section('consume', {
    name: 'consume-streams',
    title: 'The same backlog in several streams, read by one sink',
    cases: STREAMS,
    shown: [{ key: 'streams', header: 'streams' }],
    metrics: GROWING,
    fewer: true,
  }),
  consumers: section('consume', {
    name: 'consumers',
    title: 'The same backlog read by several consumers, each in a process of its own',
    cases: CONSUMERS,
    shown: [{ key: 'consumers', header: 'consumers' }],
    metrics: GROWING,
    fewer: true,
  }),
};

export const runSuite = (options: SuiteOptions): Promise<void> => runSections(SECTIONS, options);
