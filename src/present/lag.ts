import type { Lag } from '../engine/index.ts';

/** `12`, `~12` when it is an estimate, `?` when Redis cannot know: an unknown lag is never shown as none. */
export function lagText({ count, exact }: Lag): string {
  if (count === null) return '?';
  return exact ? String(count) : `~${count}`;
}
