/** A place in a list that is replaced under it: the selection is an identity, the row number only a fallback. Pure. */
export interface Cursor {
  selected: string | null;
  /** Where the selection was last seen. */
  index: number;
  /** First row on screen. */
  offset: number;
}

export const START: Cursor = { selected: null, index: 0, offset: 0 };

/**
 * The cursor over a new list: the same identity on the same screen row if it can be; when it is gone, its nearest
 * neighbour. `gone` names what vanished.
 */
export function follow(
  cursor: Cursor,
  ids: readonly string[],
  height: number,
): { cursor: Cursor; gone: string | null } {
  if (ids.length === 0) return { cursor: { ...cursor, index: 0, offset: 0 }, gone: null };
  const found = cursor.selected === null ? -1 : ids.indexOf(cursor.selected);
  const index = found >= 0 ? found : clamp(cursor.index, 0, ids.length - 1);
  const screenRow = clamp(cursor.index - cursor.offset, 0, Math.max(0, height - 1));
  const offset = clampOffset(index - screenRow, index, ids.length, height);
  const gone = found < 0 && cursor.selected !== null ? cursor.selected : null;
  return { cursor: { selected: ids[index] as string, index, offset }, gone };
}

/** Moves by rows, staying in the list and on the screen. */
export function moveBy(cursor: Cursor, delta: number, ids: readonly string[], height: number): Cursor {
  return moveTo(cursor, cursor.index + delta, ids, height);
}

export function moveTo(cursor: Cursor, target: number, ids: readonly string[], height: number): Cursor {
  if (ids.length === 0) return cursor;
  const index = clamp(target, 0, ids.length - 1);
  return { selected: ids[index] as string, index, offset: clampOffset(cursor.offset, index, ids.length, height) };
}

function clampOffset(offset: number, index: number, length: number, height: number): number {
  const shown = Math.max(1, height);
  const visible = clamp(offset, index - shown + 1, index);
  return clamp(visible, 0, Math.max(0, length - shown));
}

function clamp(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(high, value));
}
