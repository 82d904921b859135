/**
 * Finds what a reader missed, by keeping the books. Pure.
 *
 * Redis counts every entry ever added (A) and holds the length (L), so R = A − L were removed. A reader that knows how
 * many entries stand at or before its cursor (its ordinal) has missed R − ordinal as soon as that is positive, and, when
 * it stands at the newest entry, A − ordinal whatever was removed where. A reader that started after an id does not
 * know its ordinal before it reaches the end for the first time; until then all it can tell is that the first entry left
 * is newer than its cursor, which may be one too careful.
 */
import { compareEntryIds, FIRST_ID } from './entry-id.ts';

/** The state of a stream at one moment. */
export interface StreamFacts {
  length: number;
  addedTotal: number;
  /** null when the stream is empty. */
  firstId: string | null;
  /** The newest id ever given, also when that entry is gone. */
  lastGeneratedId: string;
  /** undefined when the stream was not made by us, or is gone. */
  generation: string | undefined;
  removed: boolean;
}

export interface Gap {
  stream: string;
  /** The last id that was read. */
  afterId: string;
  /** The id that follows, or null when nothing is left. */
  nextId: string | null;
  /** Events missed; undefined when Redis cannot tell, in which case it may be none. */
  lostCount: number | undefined;
  /** `trimmed`: removed before they were read. `replaced`: the stream was deleted and made anew. `rewound`: Redis lost its newest entries. */
  reason: 'trimmed' | 'replaced' | 'rewound';
}

export interface PageVerdict {
  /** It is in front of the page. */
  gap: Gap | undefined;
  /** The page is void: reading goes on behind this id. */
  continueFrom: string | undefined;
}

/** A gap in a sentence. */
export function describeGap({ stream, afterId, lostCount, reason }: Gap): string {
  const count = lostCount === undefined ? 'events' : `${lostCount} events`;
  return {
    trimmed: `${count} of stream "${stream}" after ${afterId} were removed before they were read`,
    replaced: `stream "${stream}" was deleted and made anew: ${count} after ${afterId} may be lost`,
    rewound: `stream "${stream}" ends before ${afterId}: Redis lost its newest events`,
  }[reason];
}

export class GapMeter {
  readonly #stream: string;
  #ordinal: number | undefined;
  #generation: string | undefined;
  #removedSeen: number;
  /** A cursor that was certainly one of the present generation. */
  #checkedCursor: string;

  /** `facts` are those of the moment `cursor` was chosen; `anchored` says that nothing before it is of interest. */
  constructor(stream: string, cursor: string, facts: StreamFacts, anchored: boolean) {
    this.#stream = stream;
    this.#checkedCursor = cursor;
    this.#generation = facts.generation;
    this.#removedSeen = anchored ? facts.addedTotal - facts.length : 0;
    if (compareEntryIds(cursor, facts.lastGeneratedId) >= 0) this.#ordinal = facts.addedTotal;
    else if (anchored && (facts.firstId === null || compareEntryIds(cursor, facts.firstId) < 0)) {
      this.#ordinal = facts.addedTotal - facts.length;
    }
  }

  /** `count` entries were read. */
  advance(count: number): void {
    if (this.#ordinal !== undefined) this.#ordinal += count;
  }

  /**
   * Compares with `facts`, which must be taken while no read is under way; `cursor` is the last id read.
   * @returns what was missed since the last check, and the cursor to go on from.
   */
  check(cursor: string, facts: StreamFacts): { gap: Gap | undefined; cursor: string } {
    const checked = this.#check(cursor, facts);
    this.#checkedCursor = checked.cursor;
    return checked;
  }

  /**
   * Judges a page that was read behind `cursor`, by facts of a moment after the read, and counts it. What of it has been
   * removed by then counts as read, the rest as still to be read: so the books are right whenever a trim came. What is
   * missing is missing in front of the page; only when all of the page has been removed it may in part be behind it.
   */
  checkPage(cursor: string, ids: readonly string[], facts: StreamFacts): PageVerdict {
    const { firstId } = facts;
    const left = firstId === null ? -1 : ids.findIndex(id => compareEntryIds(id, firstId) >= 0);
    const goneCount = left < 0 ? ids.length : left;
    this.advance(goneCount);
    const last = ids[goneCount - 1] ?? cursor;
    const checked = this.check(last, facts);
    const gap = checked.gap && { ...checked.gap, afterId: cursor };
    if (checked.cursor !== last) return { gap, continueFrom: checked.cursor };
    this.advance(ids.length - goneCount);
    return { gap: gap && { ...gap, nextId: ids[0] ?? firstId }, continueFrom: undefined };
  }

  #check(cursor: string, facts: StreamFacts): { gap: Gap | undefined; cursor: string } {
    const generation = this.#generation;
    this.#generation = facts.generation ?? generation;
    const gap = (reason: Gap['reason'], lostCount: number | undefined): Gap => ({
      stream: this.#stream,
      afterId: cursor,
      nextId: facts.firstId,
      lostCount,
      reason,
    });
    const shrunk = this.#ordinal !== undefined && facts.addedTotal < this.#ordinal;
    const behind = compareEntryIds(facts.lastGeneratedId, cursor) < 0;
    if (generation !== undefined && facts.generation !== undefined && generation !== facts.generation) {
      if (facts.firstId !== null && compareEntryIds(facts.firstId, this.#checkedCursor) > 0) {
        // Its ids go on from the old ones: whatever of it was read since was read in order.
        this.#restart(undefined, facts.addedTotal - facts.length);
        return { gap: gap('replaced', undefined), cursor };
      }
      this.#restart(0, 0);
      return { gap: gap('replaced', undefined), cursor: FIRST_ID };
    }
    if (behind && facts.addedTotal === 0) {
      // Gone, or made anew by somebody who did not say so: everything that comes is new, under whatever generation.
      this.#generation = facts.generation;
      if (this.#ordinal === 0) return { gap: undefined, cursor: FIRST_ID };
      this.#restart(0, 0);
      return { gap: gap('replaced', undefined), cursor: FIRST_ID };
    }
    if (behind || shrunk) {
      this.#restart(behind ? facts.addedTotal : undefined, facts.addedTotal - facts.length);
      return { gap: gap('rewound', undefined), cursor: behind ? facts.lastGeneratedId : cursor };
    }
    const lost = this.#lost(cursor, facts);
    return { gap: lost === 0 ? undefined : gap('trimmed', lost), cursor };
  }

  /** 0 when nothing was missed. */
  #lost(cursor: string, facts: StreamFacts): number | undefined {
    const removed = facts.addedTotal - facts.length;
    const removedBefore = this.#removedSeen;
    this.#removedSeen = removed;
    const atEnd = compareEntryIds(cursor, facts.lastGeneratedId) >= 0;
    if (this.#ordinal === undefined) {
      if (atEnd) this.#ordinal = facts.addedTotal;
      const cut = facts.firstId === null ? !atEnd : compareEntryIds(cursor, facts.firstId) < 0;
      return cut && removed > removedBefore ? undefined : 0;
    }
    const lost = (atEnd ? facts.addedTotal : removed) - this.#ordinal;
    if (lost <= 0) return 0;
    this.#ordinal += lost;
    return lost;
  }

  #restart(ordinal: number | undefined, removed: number): void {
    this.#ordinal = ordinal;
    this.#removedSeen = removed;
  }
}
