import { decodeText, globMatcher, type StreamEvent } from '../../engine/index.ts';
import { UsageError } from '../errors.ts';

export interface FilterFlags {
  /** Globs of event names; any of them. */
  event?: readonly string[] | undefined;
  /** Regular expression over the payload as text. */
  grep?: string | undefined;
}

/** @throws UsageError when `grep` is no regular expression. */
export function eventFilter({ event, grep }: FilterFlags): (event: StreamEvent) => boolean {
  const names = event?.map(glob => globMatcher(glob));
  const pattern = grep === undefined ? undefined : expression(grep);
  return ({ name, payload }) =>
    (!names || names.some(matches => matches(name))) && (!pattern || pattern.test(decodeText(payload)));
}

function expression(source: string): RegExp {
  try {
    return new RegExp(source);
  } catch (error) {
    throw new UsageError('--grep is no regular expression', { cause: error, hint: (error as Error).message });
  }
}
