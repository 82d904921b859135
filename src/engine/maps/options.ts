import type { OptionTable } from '../core/options.ts';

/** Options of everything that writes to a map. */
export const mapOptions = {
  maxKeyBytes: { kind: 'bytes', default: 1024, min: 1, max: 65_536, doc: 'Largest key.' },
  maxValueBytes: { kind: 'bytes', default: 1024 ** 2, min: 1, max: 64 * 1024 ** 2, doc: 'Largest value.' },
  maxBytes: {
    kind: 'bytes',
    default: 64 * 1024 ** 2,
    min: 1,
    max: 1024 ** 3,
    doc: 'Most bytes of keys and values together.',
  },
  maxEntries: { kind: 'count', default: 100_000, min: 1, max: 10_000_000, doc: 'Most entries.' },
  ttlMs: {
    kind: 'ms',
    default: 0,
    min: 0,
    max: 10 * 365 * 86_400_000,
    doc: 'The whole map empties this long after its first write (absolute) or its last (sliding). 0: what the map has.',
  },
  ttlMode: { kind: 'choice', default: 'absolute', choices: ['absolute', 'sliding'], doc: 'What ttlMs counts from.' },
  retryMs: {
    kind: 'ms',
    default: 15_000,
    min: 0,
    max: 60_000,
    doc: 'How long a write that nobody could take, or whose reply was lost, is sent again before it fails. 0: never again.',
  },
} as const satisfies OptionTable;

/** More options of a joined map. */
export const replicaOptions = {
  ...mapOptions,
  joinTimeoutMs: { kind: 'ms', default: 15_000, min: 50, max: 600_000, doc: 'Longest wait for the first full copy.' },
  pollIntervalMs: {
    kind: 'ms',
    default: 5000,
    min: 20,
    max: 600_000,
    doc: 'Longest time until a replica finds what no message told, by comparing its revision with Redis.',
  },
  onStateLoss: {
    kind: 'choice',
    default: 'clear',
    choices: ['clear', 'reassert', 'error'],
    doc: 'When Redis lost the map (a flush): follow it and say so, write the last copy known back, or end the replica with an error.',
  },
} as const satisfies OptionTable;
