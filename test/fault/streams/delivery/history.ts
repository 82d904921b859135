/**
 * What consumers wrote down, and what must be true of it. Pure.
 *
 * The contract: every event is handled to its end at least once. An event is started again only when who had it before
 * was killed, or when it was claimed from one that was silent for too long, which raises its delivery count (no handler
 * here refuses anything). In one process two events of a lane are never at work at once,
 * and an event starts only when no older one of its lane is waiting in that process. Between processes nothing is ordered.
 */
import { compareEntryIds } from '../../../../src/engine/streams/entry-id.ts';

/** `received`: it waits for its lane; `moved`: it learned that another consumer has it. */
export type What = 'received' | 'started' | 'ended' | 'moved';

export interface Line {
  atMs: number;
  what: What;
  id: string;
  lane: string;
  /** Deliveries so far. */
  count: number;
}

export interface ConsumerHistory {
  name: string;
  killedAtMs: number | undefined;
  lines: readonly Line[];
}

export interface Judgement {
  /** Events that no handler ended. */
  lost: string[];
  /** Two of a lane at once, or a newer one before an older. */
  disorder: string[];
  /** Started again, by what explains it. */
  repeated: { killed: number; claimed: number };
  /** Of those, how many a handler had ended before. */
  endedBefore: number;
  unexplained: string[];
  /** When the last event was first ended. */
  lastEndMs: number;
}

export function judge(published: readonly string[], consumers: readonly ConsumerHistory[]): Judgement {
  const firstEnds = new Map<string, number>();
  for (const { lines } of consumers) {
    for (const { what, id, atMs } of lines) {
      if (what === 'ended') firstEnds.set(id, Math.min(firstEnds.get(id) ?? Number.POSITIVE_INFINITY, atMs));
    }
  }
  return {
    lost: published.filter(id => !firstEnds.has(id)),
    disorder: consumers.flatMap(findDisorder),
    ...explainRepeats(consumers),
    lastEndMs: [...firstEnds.values()].reduce((a, b) => Math.max(a, b), 0),
  };
}

function findDisorder({ name, lines }: ConsumerHistory): string[] {
  const disorder: string[] = [];
  const waiting = new Map<string, Set<string>>();
  const atWork = new Map<string, string>();
  for (const { what, id, lane } of lines) {
    const others = waiting.get(lane) ?? new Set();
    waiting.set(lane, others);
    if (what === 'received') others.add(id);
    else others.delete(id);
    if (what === 'ended' && atWork.get(lane) === id) atWork.delete(lane);
    if (what !== 'started') continue;
    if (atWork.has(lane)) disorder.push(`${name} starts ${id} beside ${atWork.get(lane)} of lane ${lane}`);
    const older = [...others].find(other => compareEntryIds(other, id) < 0);
    if (older) disorder.push(`${name} starts ${id} before ${older} of lane ${lane}`);
    atWork.set(lane, id);
  }
  return disorder;
}

function explainRepeats(consumers: readonly ConsumerHistory[]) {
  const starts = new Map<string, { of: ConsumerHistory; line: Line }[]>();
  const ended = new Map<ConsumerHistory, Set<string>>();
  for (const of of consumers) {
    ended.set(of, new Set(of.lines.filter(({ what }) => what === 'ended').map(({ id }) => id)));
    for (const line of of.lines) {
      if (line.what === 'started') starts.set(line.id, [...(starts.get(line.id) ?? []), { of, line }]);
    }
  }
  const repeated = { killed: 0, claimed: 0 };
  const unexplained: string[] = [];
  let endedBefore = 0;
  for (const [id, all] of starts) {
    all.sort((a, b) => a.line.atMs - b.line.atMs);
    for (let at = 1; at < all.length; at++) {
      const [before, now] = all.slice(at - 1) as [(typeof all)[0], (typeof all)[0]];
      if (ended.get(before.of)?.has(id)) endedBefore++;
      if (before.of.killedAtMs !== undefined && before.of.killedAtMs < now.line.atMs) repeated.killed++;
      else if (now.line.count > before.line.count) repeated.claimed++;
      else
        unexplained.push(
          `${now.of.name} starts ${id} (${now.line.count}) after ${before.of.name} (${before.line.count})`,
        );
    }
  }
  return { repeated, endedBefore, unexplained };
}
