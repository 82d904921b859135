/** What is kept of a stream, as flags. A flag that is not given leaves its setting as it is. */
import * as Flags from '@oclif/core/flags';
import type { RetentionInput } from '../../engine/index.ts';
import { duration, size } from '../flags.ts';

export const retentionFlags = {
  'max-length': Flags.integer({ min: 0, helpValue: 'N', description: 'Most events; 0: any number' }),
  'max-bytes': size({ helpValue: '64MiB', description: 'Most bytes of names, topics, headers and payloads; 0: any' }),
  'max-age': duration({ helpValue: '7d', description: 'Older events go when others are published; 0s: any age' }),
  ttl: duration({ helpValue: '1h', description: 'The whole stream ends so long after it was made; 0s: never' }),
  sliding: Flags.boolean({ allowNo: true, description: 'Count --ttl from the last event' }),
  'on-full': Flags.string({
    options: ['reject', 'drop-oldest'],
    helpValue: 'reject|drop-oldest',
    description:
      'When sinks have not acknowledged what would go: refuse new events (default), or drop it and count it as lost',
  }),
};

interface Given {
  'max-length'?: number | undefined;
  'max-bytes'?: number | undefined;
  'max-age'?: number | undefined;
  ttl?: number | undefined;
  sliding?: boolean | undefined;
  'on-full'?: string | undefined;
}

export function retentionFrom(flags: Given): RetentionInput {
  const onFull = flags['on-full'];
  return {
    maxLength: flags['max-length'],
    maxBytes: flags['max-bytes'],
    maxAgeMs: flags['max-age'],
    ttlMs: flags.ttl,
    ttlMode: flags.sliding === undefined ? undefined : flags.sliding ? 'sliding' : 'absolute',
    onFull: onFull === undefined ? undefined : onFull === 'reject' ? 'reject' : 'dropOldest',
  };
}
