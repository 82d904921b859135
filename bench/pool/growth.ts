/** What a dispatch costs when the worker has many jobs already, and when there are many workers. */
import type { Row, Section } from '../support/report.ts';
import type { BenchServer } from '../support/server.ts';
import { median, medianRatio } from '../support/statistics.ts';
import type { SectionOptions } from '../support/suite.ts';
import { IN_FLIGHT, WARM_UP } from './compare.ts';
import { Trial } from './trial.ts';

interface Size {
  workers: number;
  jobsPerWorker: number;
}

interface Measured {
  p50Us: number[];
  perSecond: number[];
  redisCpuUs: number[];
}

const JOBS: Size[] = [10, 1000, 50_000].map(jobsPerWorker => ({ workers: 1, jobsPerWorker }));
const WORKERS: Size[] = [1, 8, 64].map(workers => ({ workers, jobsPerWorker: 100 }));

export async function growth(server: BenchServer, { quick, onProgress }: SectionOptions): Promise<Section[]> {
  const rounds = quick ? 1 : 5;
  const grow = async (what: string, sizes: Size[]): Promise<Row[]> => {
    const measured = sizes.map((): Measured => ({ p50Us: [], perSecond: [], redisCpuUs: [] }));
    for (let round = 1; round <= rounds; round++) {
      onProgress(`growth with ${what}: round ${round} of ${rounds}`);
      for (const [at, size] of sizes.entries()) await measure(server, size, quick, measured[at] as Measured);
    }
    return sizes.map((size, at) => row(size, measured[at] as Measured, measured[0] as Measured));
  };
  const notes = [`median of ${rounds} rounds; "x first" is the median of the ratios to the first line`];
  return [
    {
      name: 'growth-jobs',
      title: 'Dispatch to started with jobs that one worker has already',
      columns: [{ key: 'jobsPerWorker', header: 'jobs' }, ...COLUMNS],
      rows: await grow('jobs', JOBS),
      notes,
    },
    {
      name: 'growth-workers',
      title: 'Dispatch to started with workers (all in one process, 100 jobs each)',
      columns: [{ key: 'workers', header: 'workers' }, ...COLUMNS],
      rows: await grow('workers', WORKERS),
      notes,
    },
  ];
}

const COLUMNS = [
  { key: 'p50Us', header: 'p50 us' },
  { key: 'p50OfFirst', header: 'x first', digits: 2 },
  { key: 'perSecond', header: 'jobs/s' },
  { key: 'perSecondOfFirst', header: 'x first', digits: 2 },
  { key: 'redisCpuUs', header: 'redis CPU us/job', digits: 1 },
];

async function measure(server: BenchServer, size: Size, quick: boolean, into: Measured): Promise<void> {
  const trial = await Trial.start(server, 'ponos', size.workers);
  try {
    const { client } = trial;
    const jobs = quick ? 4000 : 8000;
    // Ended again, so that the number of jobs is what the line says.
    await client.call('inFlight', 'warm-', WARM_UP, IN_FLIGHT);
    await client.call('stop', 'warm-', WARM_UP);
    await client.call('fill', size.workers * size.jobsPerWorker);
    const { result: seconds, spent } = await trial.spend(() =>
      client.call<number>('inFlight', 'many-', jobs, IN_FLIGHT),
    );
    await client.call('stop', 'many-', jobs);
    into.p50Us.push(median(await client.call<number[]>('oneAtATime', 'one-', quick ? 500 : 1000)));
    into.perSecond.push(jobs / seconds);
    into.redisCpuUs.push(spent.redisCpuUs / jobs);
  } finally {
    await trial.end();
  }
}

function row(size: Size, measured: Measured, first: Measured): Row {
  return {
    ...size,
    p50Us: median(measured.p50Us),
    p50OfFirst: medianRatio(measured.p50Us, first.p50Us),
    perSecond: median(measured.perSecond),
    perSecondOfFirst: medianRatio(measured.perSecond, first.perSecond),
    redisCpuUs: median(measured.redisCpuUs),
  };
}
