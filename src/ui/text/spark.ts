/** Bars of a history of values, newest at the right. Scaled to the largest value; nothing is the empty bar. */

/** What the width of a chart stands for, with one value a second. */
const SECONDS = 60;

/** `height` lines of exactly `width` characters, from the top down. `bars` are the fill levels of one cell, empty first. */
export function sparkLines(values: readonly number[], width: number, height: number, bars: string): string[] {
  const levels = [...bars];
  const steps = levels.length - 1;
  const shown = resample(values, width, SECONDS);
  const top = Math.max(...shown, 0);
  const filled = shown.map(value => {
    if (top <= 0 || value <= 0) return 0;
    return Math.max(1, Math.round((value / top) * steps * height));
  });
  const blank = (levels[0] as string).repeat(Math.max(0, width - shown.length));
  return Array.from({ length: height }, (_, row) => {
    const below = (height - 1 - row) * steps;
    return blank + filled.map(fill => levels[Math.min(steps, Math.max(0, fill - below))]).join('');
  });
}

/** The newest `seconds` values stretched over `width` cells, oldest first; fewer cells while there are fewer values. */
function resample(values: readonly number[], width: number, seconds: number): number[] {
  if (width <= 0 || values.length === 0) return [];
  const cells = Math.min(width, Math.ceil((values.length * width) / seconds));
  return Array.from({ length: cells }, (_, cell) => {
    const from = values.length - ((cells - cell) * seconds) / width;
    const to = Math.max(Math.floor(from) + 1, Math.round(from + seconds / width));
    const part = values.slice(Math.max(0, Math.floor(from)), Math.min(values.length, to));
    return part.length === 0 ? 0 : part.reduce((sum, value) => sum + value, 0) / part.length;
  });
}
