/** Cases measured on several sides that take turns, as a table of medians and of ratios within a round. */
import type { Column, Row, Section } from './report.ts';
import { median, medianRatio } from './statistics.ts';

export type Figures = Record<string, number>;

export interface Metric extends Column {
  /** Followed by its ratio to the first side. */
  ofFirstSide?: boolean;
  /** Followed by its ratio to the first case of the same side. */
  ofFirstCase?: boolean;
}

export interface Comparison<Case extends Record<string, string | number>> {
  name: string;
  title: string;
  cases: readonly Case[];
  /** Columns that show the case. */
  shown: readonly Column[];
  /** The first is what the others are compared with. */
  sides: readonly string[];
  metrics: readonly Metric[];
  rounds: number;
  measure(side: string, at: Case): Promise<Figures>;
  notes?: readonly string[];
  onProgress: (what: string) => void;
}

/** No round is begun any more after this: on a slow or busy machine fewer rounds must do. */
const BUDGET_MS = 240_000;

export async function compare<Case extends Record<string, string | number>>(
  comparison: Comparison<Case>,
): Promise<Section> {
  const { name, title, cases, shown, sides, metrics, rounds, onProgress } = comparison;
  const notes: string[] = [];
  const endMs = performance.now() + BUDGET_MS;
  let done = 0;
  const found = new Map<string, Figures[]>();
  const figuresOf = (side: string, at: Case | undefined) => found.get(`${side} ${cases.indexOf(at as Case)}`) ?? [];
  for (let round = 1; round <= rounds && (round === 1 || performance.now() < endMs); round++) {
    onProgress(`${name}: round ${round} of ${rounds}`);
    for (const at of cases) {
      for (const side of sides) {
        const id = `${side} ${cases.indexOf(at)}`;
        try {
          found.set(id, [...(found.get(id) ?? []), await comparison.measure(side, at)]);
        } catch (error) {
          // A side that fails once is out of the table for this round; the others are worth having.
          const what = `${side}, ${JSON.stringify(at)}: ${(error as Error).message.split('\n')[0]}`;
          onProgress(`${name}: ${what}`);
          notes.push(`not measured in round ${round}: ${what}`);
        }
      }
    }
    done = round;
  }
  const rows = cases.flatMap(at =>
    sides.map((side): Row => {
      const figures = figuresOf(side, at);
      const row: Row = { ...at, side };
      for (const { key, ofFirstSide, ofFirstCase } of metrics) {
        const values = figures.map(each => each[key] ?? Number.NaN);
        row[key] = known(median(values));
        const ratioTo = (others: Figures[]) => {
          const pairs = Math.min(values.length, others.length);
          const theirs = others.slice(0, pairs).map(each => each[key] ?? Number.NaN);
          return known(medianRatio(values.slice(0, pairs), theirs));
        };
        if (ofFirstSide) row[`${key}OfFirstSide`] = ratioTo(figuresOf(sides[0] as string, at));
        if (ofFirstCase) row[`${key}OfFirstCase`] = ratioTo(figuresOf(side, cases[0]));
      }
      return row;
    }),
  );
  const columns = metrics.flatMap((metric): Column[] => [
    metric,
    ...(metric.ofFirstSide ? [{ key: `${metric.key}OfFirstSide`, header: `x ${sides[0]}`, digits: 2 }] : []),
    ...(metric.ofFirstCase ? [{ key: `${metric.key}OfFirstCase`, header: 'x first', digits: 2 }] : []),
  ]);
  return {
    name,
    title,
    columns: [{ key: 'side', header: '' }, ...shown, ...columns],
    rows,
    notes: [
      `median of ${done} rounds, sides taking turns; "x" is the median of the ratios within a round`,
      ...notes,
      ...(comparison.notes ?? []),
    ],
  };
}

function known(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
