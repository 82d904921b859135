import { UsageError } from '../errors.ts';

/**
 * `--header key=value`, as often as wanted. The key ends at the first `=`; the last of several for one key counts.
 * @throws UsageError
 */
export function parseHeaders(given: readonly string[] = []): ReadonlyMap<string, string> {
  return new Map(
    given.map(header => {
      const at = header.indexOf('=');
      if (at <= 0) throw new UsageError('--header is no KEY=VALUE', { hint: 'Write headers as --header trace=4f2a.' });
      return [header.slice(0, at), header.slice(at + 1)];
    }),
  );
}
