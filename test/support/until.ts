/**
 * Waits for a condition by asking again and again; a truthy answer ends it and is returned.
 * An error thrown by the condition ends the wait with that error.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  what: string,
  options: { limitMs?: number; everyMs?: number } = {},
): Promise<NonNullable<Exclude<T, false>>> {
  const { limitMs = 15_000, everyMs = 10 } = options;
  const start = performance.now();
  for (;;) {
    const answer = await condition();
    if (answer) return answer as NonNullable<Exclude<T, false>>;
    if (performance.now() - start > limitMs) throw new Error(`waited ${limitMs} ms for ${what}`);
    await new Promise(resolve => setTimeout(resolve, everyMs));
  }
}
