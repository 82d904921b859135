import { type BrokenKind, type BrokenReason, type BrokenThing, remedyFor } from '../engine/index.ts';
import { PartlyFailedError } from './errors.ts';
import type { Output } from './output.ts';

interface Listed {
  name: string;
  broken: BrokenReason;
}

/** Formats whose items say it themselves. */
const COMPLETE = ['json', 'ndjson', 'yaml'];

/** Makes a suggested command look where this one looked. */
export type Locate = (line: string) => string;

/** Why each cannot be read, and what to do; of a partitioned stream and the partition that breaks it once. */
export async function warnOfBroken(output: Output, broken: readonly BrokenThing[], located: Locate): Promise<void> {
  const told = new Set<string>();
  for (const { kind, name, reason } of broken) {
    if (told.has(reason)) continue;
    told.add(reason);
    await output.warn(`${kind} "${name}" is broken: ${reason}. What to type: ${located(remedyFor(kind, name))}`);
  }
}

/**
 * Tells of each that cannot be read, and what to do.
 * @throws PartlyFailedError when there is one: who adds up the figures of all must know that some are missing. Not with
 *   `--watch`, which goes on.
 */
export async function reportBroken(
  output: Output,
  kind: BrokenKind,
  listed: readonly Listed[],
  { watch, located }: { watch: boolean; located: Locate },
): Promise<void> {
  const broken = listed.filter(thing => thing.broken !== null);
  if (broken.length === 0) return;
  if (!COMPLETE.includes(output.looks.format)) {
    const things = broken.map(({ name, broken: reason }) => ({ kind, name, reason: String(reason) }));
    await warnOfBroken(output, things, located);
  }
  if (watch) return;
  const what = broken.length === 1 ? `1 ${kind} is` : `${broken.length} ${kind}s are`;
  throw new PartlyFailedError(broken.length, listed.length, {
    message: `${what} broken: keys hold what does not belong there`,
    hint: '"ponos doctor" names each key.',
  });
}
