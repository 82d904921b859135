/** The known words nearest to a mistyped one. */

/** At most `count` of `known`, nearest first; none that is too far off to have been meant. */
export function nearest(word: string, known: readonly string[], count = 3): string[] {
  return known
    .map(candidate => ({ candidate, distance: distanceTo(word, candidate) }))
    .filter(({ distance }) => distance < Number.POSITIVE_INFINITY)
    .sort((a, b) => a.distance - b.distance || a.candidate.localeCompare(b.candidate))
    .slice(0, count)
    .map(({ candidate }) => candidate);
}

/** A word may also be the mistyped beginning of a longer one. */
function distanceTo(word: string, candidate: string): number {
  if (candidate.startsWith(word)) return 1;
  const whole = editDistance(word, candidate);
  if (whole <= tolerance(Math.max(word.length, candidate.length))) return whole;
  if (candidate.length <= word.length) return Number.POSITIVE_INFINITY;
  const beginning = Math.min(
    ...[-1, 0, 1].map(more => editDistance(word, candidate.slice(0, Math.max(0, word.length + more)))),
  );
  return beginning <= tolerance(word.length) ? beginning + 1 : Number.POSITIVE_INFINITY;
}

/** Mistakes that a word of this length may hold. */
function tolerance(length: number): number {
  return Math.max(1, Math.floor(length / 3));
}

/** Optimal string alignment: insertions, deletions, substitutions, and swaps of neighbours. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min(
        (last[j] as number) + 1,
        (row[j - 1] as number) + 1,
        (last[j - 1] as number) + (same ? 0 : 1),
      );
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (beforeLast[j - 2] as number) + 1);
      }
      row.push(best);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] as number;
}
