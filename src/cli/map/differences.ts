import type { MapDifference } from '../../engine/index.ts';
import { formatCount } from '../../present/human.ts';
import { differenceLines, differenceNoun } from '../../present/nouns/maps.ts';
import type { Output } from '../output.ts';

/** Differences on stdout: for people lines with a minus and a plus, else records. */
export async function showDifferences(output: Output, differences: readonly MapDifference[]): Promise<void> {
  if (output.looks.format !== 'table') return output.list(differenceNoun, differences);
  for (const difference of differences) for (const line of differenceLines(difference)) await output.line(line);
}

/** How many there are of each kind. */
export function sumDifferences(differences: readonly MapDifference[]) {
  const count = (wanted: MapDifference['kind']) => differences.filter(({ kind }) => kind === wanted).length;
  return { addedCount: count('added'), changedCount: count('changed'), removedCount: count('removed') };
}

/** As in "2 added, 1 removed". */
export function countDifferences(differences: readonly MapDifference[]): string {
  const parts = (['added', 'changed', 'removed'] as const).map(kind => {
    const count = differences.filter(difference => difference.kind === kind).length;
    return count === 0 ? '' : `${formatCount(count, 'entry', 'entries')} ${kind}`;
  });
  return parts.filter(Boolean).join(', ') || 'nothing';
}
