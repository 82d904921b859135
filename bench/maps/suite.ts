/** Replicated maps against the plain client doing the same work, and what grows with what. */
import { type Comparison, compare, type Metric } from '../support/compare.ts';
import type { Column, Section } from '../support/report.ts';
import type { BenchServer } from '../support/server.ts';
import { runSections, type SectionOptions, type Sections, type SuiteOptions } from '../support/suite.ts';
import { IN_FLIGHT, type Load, MapBench, PACE } from './measure.ts';

const ONE: Load = { bytes: 100, replicas: 1, copies: 1 };
const by = (name: string, values: readonly number[]): Load[] => values.map(value => ({ ...ONE, [name]: value }));

const LATENCY: Metric[] = [
  { key: 'p50Us', header: 'p50 us', ofFirstSide: true },
  { key: 'p99Us', header: 'p99 us', ofFirstSide: true },
];
const APPLIED: Metric[] = [
  { key: 'perSecond', header: 'updates/s', ofFirstSide: true },
  { key: 'cpuUs', header: 'CPU us', digits: 1, ofFirstSide: true },
  { key: 'writerCpuUs', header: 'writer', digits: 1 },
  { key: 'replicaCpuUs', header: 'each replica', digits: 1 },
  { key: 'redisCpuUs', header: 'redis', digits: 1 },
];
const SAME_WORK = 'script: the plain client with the very script of the engine; raw: with the least a script could do';

type What = 'visible' | 'applied' | 'spread' | 'get';

function section(
  what: What,
  table: Pick<Comparison<Load>, 'name' | 'title' | 'cases' | 'metrics'> & { shown?: Column[]; sides?: string[] },
) {
  return async (server: BenchServer, { quick, onProgress }: SectionOptions): Promise<Section[]> => {
    const bench = new MapBench(server, quick);
    const sides = table.sides ?? ['script', 'raw', 'ponos'];
    return [
      await compare({
        shown: [],
        ...table,
        sides,
        rounds: quick ? 2 : 7,
        measure: (side, load) => bench[what](side, load),
        notes: sides.includes('script') ? [SAME_WORK] : [],
        onProgress,
      }),
    ];
  };
}

const SECTIONS: Sections = {
  visible: section('visible', {
    name: 'visible',
    title: 'Set in one process until visible in another, one at a time (values of 100 bytes)',
    cases: [ONE],
    metrics: LATENCY,
  }),
  applied: section('applied', {
    name: 'applied',
    title: `Updates applied by every replica, ${IN_FLIGHT} in flight (values of 100 bytes)`,
    cases: by('replicas', [1, 4]),
    shown: [{ key: 'replicas', header: 'replicas' }],
    metrics: APPLIED,
  }),
  bytes: section('applied', {
    name: 'bytes',
    title: `Updates of larger values applied, ${IN_FLIGHT} in flight (8 of 1 MB), one replica`,
    cases: by('bytes', [10_240, 1_048_576]),
    shown: [{ key: 'bytes', header: 'bytes' }],
    metrics: APPLIED,
  }),
  replicas: section('spread', {
    name: 'replicas',
    title: `${PACE} updates a second with many replicas, all in one process`,
    cases: by('copies', [1, 10, 100]),
    shown: [{ key: 'copies', header: 'replicas' }],
    metrics: [
      ...LATENCY,
      { key: 'redisCpuUs', header: 'redis CPU us', digits: 1, ofFirstSide: true },
      { key: 'replicaCpuUs', header: 'each replica', digits: 1, ofFirstCase: true },
    ],
  }),
  get: section('get', {
    name: 'get',
    title: 'Reads of the local copy; raw is a Map',
    cases: [ONE],
    sides: ['raw', 'ponos'],
    metrics: [{ key: 'perSecond', header: 'gets/s', ofFirstSide: true }],
  }),
};

export const runSuite = (options: SuiteOptions): Promise<void> => runSections(SECTIONS, options);
