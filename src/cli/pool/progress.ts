import type { Output } from '../output.ts';

const EVERY_MS = 1000;

/** Tells people how far something is, once a second at most. Each call may be the last: it never waits. */
export function progressNotes(output: Output): (text: string) => void {
  let toldMs = Number.NEGATIVE_INFINITY;
  let told = '';
  return text => {
    if (text === told || performance.now() - toldMs < EVERY_MS) return;
    toldMs = performance.now();
    told = text;
    void output.note(text).catch(() => undefined);
  };
}
