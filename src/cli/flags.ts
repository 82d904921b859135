/**
 * The flags commands share. None has an environment variable or a default of oclif's: src/config resolves those, so that
 * it is known where a value came from. Help names the variable instead.
 */
import { custom } from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { parseBytes, parseDuration, parseTime } from '../present/human.ts';
import { FORMATS } from './format.ts';

const CONNECTION = 'connection';
const OUTPUT = 'output';
const COMMON = 'common';

const file = (description: string) => Flags.string({ helpGroup: CONNECTION, helpValue: 'FILE', description });

/** A duration in ms. */
export const duration = Flags.custom<number>({ parse: async text => parseDuration(text), helpValue: '5s' });
/** A moment in ms since 1970: `2026-03-29T03:00:00+02:00`. */
export const time = Flags.custom<number>({ parse: async text => parseTime(text), helpValue: 'TIME' });
/** A size in bytes: `64k`, `10MiB`. */
export const size = Flags.custom<number>({ parse: async text => parseBytes(text), helpValue: '64k' });

/** On every command. */
export const globalFlags = {
  redis: Flags.string({
    helpGroup: CONNECTION,
    helpValue: 'URL',
    description:
      'Redis to use: redis://, rediss://, unix://, redis+sentinel://, redis+cluster:// [env: PONOS_REDIS_URL, REDIS_URL]',
  }),
  'password-file': file('File with the password [or env: PONOS_REDIS_PASSWORD, user in PONOS_REDIS_USERNAME]'),
  'tls-ca': file('Certificate authority, PEM [env: PONOS_TLS_CA]'),
  'tls-cert': file('Client certificate, PEM [env: PONOS_TLS_CERT]'),
  'tls-key': file('Key of the client certificate, PEM [env: PONOS_TLS_KEY]'),
  'tls-insecure': Flags.boolean({
    helpGroup: CONNECTION,
    description: 'Accept any certificate; others may then read along [env: PONOS_TLS_INSECURE]',
  }),
  prefix: Flags.string({
    helpGroup: CONNECTION,
    helpValue: 'NAME',
    description: 'First part of every key name, default ponos [env: PONOS_PREFIX]',
  }),
  timeout: Flags.string({
    helpGroup: CONNECTION,
    helpValue: '5s',
    description: 'Longest wait for Redis, default 5s [env: PONOS_TIMEOUT]',
  }),
  'read-only': Flags.boolean({ helpGroup: CONNECTION, description: 'Refuse every write [env: PONOS_READ_ONLY]' }),
  output: Flags.string({
    char: 'o',
    helpGroup: OUTPUT,
    options: [...FORMATS],
    helpValue: 'FORMAT',
    description: `${FORMATS.join(', ')}; default table [env: PONOS_OUTPUT]`,
  }),
  json: Flags.boolean({ helpGroup: OUTPUT, description: 'The same as -o json; ndjson where the output has no end' }),
  raw: Flags.boolean({ helpGroup: OUTPUT, description: 'The same as -o raw: bytes as they are, nothing escaped' }),
  headers: Flags.boolean({ helpGroup: OUTPUT, allowNo: true, description: 'Heads of tables and CSV, default on' }),
  color: Flags.string({
    helpGroup: OUTPUT,
    options: ['auto', 'always', 'never'],
    helpValue: 'WHEN',
    description: 'auto, always or never; default auto [env: NO_COLOR]',
  }),
  ascii: Flags.boolean({ helpGroup: OUTPUT, description: 'No glyphs beyond ASCII [env: PONOS_ASCII]' }),
  quiet: Flags.boolean({ char: 'q', helpGroup: COMMON, description: 'No sentences on stderr but errors and warnings' }),
  yes: Flags.boolean({ char: 'y', helpGroup: COMMON, description: 'Answer yes to every confirmation' }),
  input: Flags.boolean({
    helpGroup: COMMON,
    allowNo: true,
    description: 'Ask when a confirmation is needed, default on',
  }),
};

/** On commands about what is in a pool. Read it with `this.pool`. */
export const poolFlags = {
  pool: Flags.string({ char: 'p', helpValue: 'NAME', description: 'Pool, default "default" [env: PONOS_POOL]' }),
};

/** On list and show. */
export const watchFlags = {
  watch: Flags.boolean({ char: 'w', description: 'Show it again and again, until Ctrl-C' }),
  every: duration({ description: 'Pause between two looks with --watch, default 2s', dependsOn: ['watch'] }),
};

/** For what gives jobs to a pool; to stop them needs no leave. */
export const evictionFlags = {
  'allow-unsafe-eviction': Flags.boolean({
    description: 'Go on although Redis may drop keys when its memory is full; it can lose jobs then',
  }),
};

/** On every command that changes something. */
export const changeFlags = {
  'dry-run': Flags.boolean({ description: 'Say what would be done, and do nothing' }),
};

/** Arguments: a string that is never read from a pipe by surprise. */
export const text = custom<string>({ ignoreStdin: true, parse: async input => input });
