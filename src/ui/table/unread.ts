/** What stands where rows will be: that they are being read, or why they cannot be. */
import { fitLine, type Line } from '../paint/line.ts';
import { cellText } from '../text/cell.ts';
import type { Location, Scene } from '../view.ts';

export function unreadLine({ snapshot, glyphs }: Scene, at: Location, width: number): Line {
  const problem = partsOf(at)
    .map(part => snapshot.problems.get(part))
    .find(reason => reason !== undefined);
  return problem === undefined
    ? fitLine([[`  reading ${glyphs.ellipsis}`, 'muted']], width)
    : fitLine([[`  cannot be read: ${cellText(problem)}`, 'bad']], width, glyphs.ellipsis);
}

/** As the observer names what it reads for that view. */
function partsOf({ view, pool, stream }: Location): string[] {
  if (view === 'overview') return ['pools', 'streams'];
  if (view === 'value') return ['entries'];
  return [view, `${view}:${pool ?? stream ?? ''}`, ...(view === 'job' ? ['detail'] : [])];
}
