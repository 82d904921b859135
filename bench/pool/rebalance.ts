/** Jobs that move when a worker joins and when one leaves, against the fewest that could. */
import { until } from '../../test/support/until.ts';
import type { Child } from '../support/child.ts';
import type { Row, Section } from '../support/report.ts';
import type { BenchServer } from '../support/server.ts';
import type { SectionOptions } from '../support/suite.ts';
import { Trial } from './trial.ts';

const WORKERS = 10;
const JOBS = 10_000;

export async function rebalance(server: BenchServer, { onProgress }: SectionOptions): Promise<Section[]> {
  onProgress('rebalance');
  const trial = await Trial.start(server, 'ponos', WORKERS - 1);
  try {
    await trial.client.call('fill', JOBS);
    const before = await counts(trial.worker);
    const joined = Date.now();
    const last = await trial.addWorkers(1, 'service', WORKERS);
    const joining = await settled([trial.worker, last], joined);
    const [arrived = 0] = await counts(last);
    const leaving = Date.now();
    await last.call('drainFirst');
    const left = await settled([trial.worker], leaving);
    const rows: Row[] = [
      row('the tenth joins', joining, JOBS / WORKERS),
      row(
        'the tenth leaves',
        { ...left, moved: left.moved - joining.moved + (await last.call<number>('moved')) },
        arrived,
      ),
    ];
    const after = await counts(trial.worker);
    const same = after.length === before.length && after.every((count, at) => count === before[at]);
    return [
      {
        name: 'rebalance',
        title: `${JOBS.toLocaleString('en')} jobs over ${WORKERS} workers`,
        columns: [
          { key: 'step', header: '' },
          { key: 'moved', header: 'moved' },
          { key: 'fewest', header: 'fewest' },
          { key: 'ofFewest', header: 'x fewest', digits: 2 },
          { key: 'seconds', header: 'seconds', digits: 1 },
        ],
        rows,
        notes: [
          "fewest: a tenth of the jobs, and the leaver's own; seconds: from the start of the joining process, or of the drain, until the last job runs",
          ...(same
            ? ['afterwards every worker has as many jobs as before']
            : ['the jobs are spread otherwise than before']),
        ],
      },
    ];
  } finally {
    await trial.end();
  }
}

interface Moves {
  moved: number;
  seconds: number;
}

/** Waits until all jobs run and none has begun for a while. */
async function settled(children: Child[], sinceMs: number): Promise<Moves> {
  let lastMs = 0;
  await until(
    async () => {
      const running = (await Promise.all(children.map(counts))).flat().reduce((sum, count) => sum + count, 0);
      lastMs = Math.max(...(await Promise.all(children.map(child => child.call<number>('lastStartAtMs')))));
      return running === JOBS && lastMs > sinceMs && Date.now() - lastMs > QUIET_MS;
    },
    'the jobs to run where they belong',
    { limitMs: 60_000, everyMs: 100 },
  );
  const moved = await Promise.all(children.map(child => child.call<number>('moved')));
  return { moved: moved.reduce((sum, count) => sum + count, 0), seconds: (lastMs - sinceMs) / 1000 };
}

const QUIET_MS = 3000;

function counts(child: Child): Promise<number[]> {
  return child.call<number[]>('jobCounts');
}

function row(step: string, { moved, seconds }: Moves, fewest: number): Row {
  return { step, moved, fewest, ofFewest: moved / fewest, seconds };
}
