/** From the dispatch until the job runs, one at a time and many at once, side by side. */
import { missingBullMq } from '../support/peers.ts';
import type { Row, Section } from '../support/report.ts';
import type { BenchServer } from '../support/server.ts';
import { median, medianRatio, percentile } from '../support/statistics.ts';
import type { SectionOptions } from '../support/suite.ts';
import { type SideName, Trial } from './trial.ts';

export const IN_FLIGHT = 100;
/** Until then the compiler is still at work, and the first thousands take several times as long. */
export const WARM_UP = 30_000;

interface Side {
  label: string;
  side: SideName;
  workArgs: unknown[];
  /** Names of the two loops in the side's module. */
  one: string;
  many: string;
  /** Of the many; slow sides do fewer. */
  share: number;
}

interface Measured {
  p50Us: number[];
  p99Us: number[];
  perSecond: number[];
  clientCpuUs: number[];
  workerCpuUs: number[];
  redisCpuUs: number[];
}

const STARTED = { one: 'oneAtATime', many: 'inFlight' };
const RAW: Side = { label: 'raw, started', side: 'raw', workArgs: [], ...STARTED, share: 1 };
const SIDES: Side[] = [
  RAW,
  { label: 'ponos, started', side: 'ponos', workArgs: [], ...STARTED, share: 1 },
  {
    label: 'ponos, completed',
    side: 'ponos',
    workArgs: [1, 'task'],
    one: 'oneDoneAtATime',
    many: 'doneInFlight',
    share: 0.5,
  },
];
const BULLMQ: Side = { label: 'bullmq, finished', side: 'bullmq', workArgs: [IN_FLIGHT], ...STARTED, share: 0.2 };

export async function compareExchanges(server: BenchServer, options: SectionOptions): Promise<Section[]> {
  const { quick, onProgress } = options;
  const notes: string[] = [];
  const missing = missingBullMq();
  if (missing) notes.push(`BullMQ ${missing}`);
  const sides = missing ? SIDES : [...SIDES, BULLMQ];
  const rounds = quick ? 3 : 7;
  const measured = new Map<Side, Measured>(sides.map(side => [side, emptyMeasured()]));
  for (let round = 1; round <= rounds; round++) {
    onProgress(`exchange: round ${round} of ${rounds}`);
    for (const side of sides) await measure(server, side, quick, measured.get(side) as Measured);
  }
  const raw = measured.get(RAW) as Measured;
  const rows = sides.map(side => row(side, measured.get(side) as Measured, raw));
  notes.push(
    `median of ${rounds} rounds, sides taking turns; "x raw" is the median of the ratios within a round`,
    `CPU us: of all processes for one job, ${IN_FLIGHT} in flight; then of the dispatching process, the worker's, redis-server`,
  );
  const title = `Dispatch to started, one at a time and ${IN_FLIGHT} in flight (payload of 100 bytes)`;
  return [{ name: 'exchange', title, columns: COLUMNS, rows, notes }];
}

const COLUMNS = [
  { key: 'side', header: '' },
  { key: 'p50Us', header: 'p50 us' },
  { key: 'p50OfRaw', header: 'x raw', digits: 2 },
  { key: 'p99Us', header: 'p99 us' },
  { key: 'perSecond', header: 'jobs/s' },
  { key: 'perSecondOfRaw', header: 'x raw', digits: 2 },
  { key: 'cpuUs', header: 'CPU us', digits: 1 },
  { key: 'cpuOfRaw', header: 'x raw', digits: 2 },
  { key: 'clientCpuUs', header: 'client', digits: 1 },
  { key: 'workerCpuUs', header: 'worker', digits: 1 },
  { key: 'redisCpuUs', header: 'redis', digits: 1 },
];

function emptyMeasured(): Measured {
  return { p50Us: [], p99Us: [], perSecond: [], clientCpuUs: [], workerCpuUs: [], redisCpuUs: [] };
}

async function measure(server: BenchServer, side: Side, quick: boolean, into: Measured): Promise<void> {
  const trial = await Trial.start(server, side.side, ...side.workArgs);
  try {
    const { client } = trial;
    const jobs = Math.round((quick ? 10_000 : 30_000) * side.share);
    await client.call(side.many, 'warm-', WARM_UP * side.share, IN_FLIGHT);
    const { result: seconds, spent } = await trial.spend(() =>
      client.call<number>(side.many, 'many-', jobs, IN_FLIGHT),
    );
    const tookUs = await client.call<number[]>(side.one, 'one-', quick ? 1000 : 2000);
    into.p50Us.push(median(tookUs));
    into.p99Us.push(percentile(tookUs, 0.99));
    into.perSecond.push(jobs / seconds);
    into.clientCpuUs.push(spent.clientCpuUs / jobs);
    into.workerCpuUs.push(spent.workerCpuUs / jobs);
    into.redisCpuUs.push(spent.redisCpuUs / jobs);
  } finally {
    await trial.end();
  }
}

function row(side: Side, measured: Measured, raw: Measured): Row {
  return {
    side: side.label,
    p50Us: median(measured.p50Us),
    p50OfRaw: medianRatio(measured.p50Us, raw.p50Us),
    p99Us: median(measured.p99Us),
    perSecond: median(measured.perSecond),
    perSecondOfRaw: medianRatio(measured.perSecond, raw.perSecond),
    cpuUs: median(cpuUs(measured)),
    cpuOfRaw: medianRatio(cpuUs(measured), cpuUs(raw)),
    clientCpuUs: median(measured.clientCpuUs),
    workerCpuUs: median(measured.workerCpuUs),
    redisCpuUs: median(measured.redisCpuUs),
  };
}

/** Of all processes: what bounds the rate where processors are few, and what varies least on a busy machine. */
function cpuUs({ clientCpuUs, workerCpuUs, redisCpuUs }: Measured): number[] {
  return clientCpuUs.map((us, at) => us + (workerCpuUs[at] as number) + (redisCpuUs[at] as number));
}
