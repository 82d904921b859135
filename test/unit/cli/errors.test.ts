import { describe, expect, it } from 'vitest';
import { reportError } from '../../../src/cli/error-report.ts';
import { NotConfirmedError, OutputClosedError, PartlyFailedError, UsageError } from '../../../src/cli/errors.ts';
import { exitCodeOf } from '../../../src/cli/exit-codes.ts';
import { fromOclifError } from '../../../src/cli/oclif-errors.ts';
import { redact } from '../../../src/cli/redact.ts';
import type { ConnectionSettings } from '../../../src/config/connection.ts';
import * as engine from '../../../src/engine/index.ts';

describe('exit codes', () => {
  it.each<[number, Error]>([
    [0, new OutputClosedError()],
    [1, new Error('bug')],
    [1, new engine.InvariantError('x')],
    [1, new engine.WrongTypeError('x')],
    [1, new engine.HandlerError('x')],
    [1, new engine.RedisCommandError('x')],
    [1, new engine.UnsafeServerError('SERVER_TOO_OLD', 'x')],
    [2, new UsageError('x')],
    [2, new engine.OptionError('x')],
    [2, new engine.ArgumentError('x')],
    [2, new engine.TooLargeError('KEY', 2000, 1024)],
    [3, new engine.NotFoundError('map', 'x')],
    [4, new engine.ExistsError('job', 'x')],
    [4, new engine.ConflictError('x')],
    [4, new engine.LeaseLostError('x')],
    [5, new engine.RedisUnavailableError('x')],
    [5, new engine.UncertainPublishError('x')],
    [5, new engine.NotReplicatedError('x', 'id', 0, 1)],
    [5, new engine.QuarantineError('x', 1)],
    [6, new engine.RedisDeniedError('x')],
    [7, new engine.TimeoutError('x')],
    [8, new engine.ReadOnlyError('SET')],
    [8, new NotConfirmedError('x')],
    [9, new PartlyFailedError(1, 2)],
    [10, new engine.FullError('POOL_FULL', 'x')],
    [10, new engine.OutOfMemoryError('x')],
  ])('%d for %s', (code, error) => expect(exitCodeOf(error)).toBe(code));
});

const settings: ConnectionSettings = {
  url: { value: 'redis://u:topsecret@db:6379', origin: { kind: 'env', name: 'PONOS_REDIS_URL' } },
  username: undefined,
  password: { value: 'topsecret', origin: { kind: 'env', name: 'PONOS_REDIS_PASSWORD' } },
  tls: undefined,
  prefix: undefined,
  readOnly: undefined,
  timeoutMs: undefined,
  warnings: [],
};
const commands = new Map([
  ['map list', ['watch']],
  ['job list', ['pool', 'state']],
  ['job dispatch', ['pool', 'ndjson']],
  ['pool list', []],
  ['pool route list', ['pool']],
]);
const context = { command: 'map get', settings, flags: {}, commands, json: false, color: false };

describe('the report of an error', () => {
  it('says what happened, where the setting came from, and what to type next', () => {
    const report = reportError(new engine.RedisUnavailableError('Redis at db does not answer'), context);
    expect(report).toMatch(/^Error: Redis at db does not answer$/m);
    expect(report).toMatch(/Why +the address comes from env PONOS_REDIS_URL/);
    expect(report).toContain('ponos dev up');
    expect(report).toMatch(/REDIS_UNAVAILABLE, exit 5\n$/);
  });

  it('suggests a command for the server it is about, without its password', () => {
    const report = reportError(new engine.UnsafeServerError('UNSAFE_EVICTION_POLICY', 'x'), context);
    expect(report).toContain('redis-cli -h db -p 6379 config set maxmemory-policy noeviction ');
  });

  it.each<[string, Error, string]>([
    ['job retry', new engine.NotFoundError('dead job', 'x'), 'ponos job list --state dead'],
    ['pool route remove', new engine.NotFoundError('route', 'x'), 'ponos pool route list'],
    ['job dispatch', new engine.TimeoutError('x'), 'ponos job list'],
    ['pool drain', new engine.TimeoutError('x'), 'ponos pool drain ... --timeout 30s'],
    ['schedule add', new engine.ConflictError('x', { code: 'SCHEDULE_EXISTS' }), 'ponos schedule add ... --replace'],
  ])('of "%s" names what helps there', (command, error, helps) => {
    const { next } = JSON.parse(reportError(error, { ...context, command, json: true })).error;
    expect(next).toContain(helps);
    if (error instanceof engine.TimeoutError) expect(next).toHaveLength(1);
  });

  it('suggests commands that look where the one that failed did', () => {
    const next = (command: string, error: Error, flags: Record<string, unknown>): string[] =>
      JSON.parse(reportError(error, { ...context, command, flags, json: true })).error.next;
    const away = {
      pool: 'video',
      redis: "rediss://u:top'secret@db",
      'tls-insecure': true,
      prefix: 'my app',
      quiet: true,
    };
    const place = "--redis 'rediss://***@db' --tls-insecure --prefix 'my app'";
    expect(next('job retry', new engine.NotFoundError('dead job', 'x'), away)).toEqual([
      `ponos job list --pool video ${place} --state dead`,
      `ponos job list --pool video ${place}`,
      `ponos pool list ${place}`,
    ]);
    const usage = new UsageError('x', { suggestions: [['ponos job dispatch - --ndjson < jobs', 'x']] });
    expect(next('job dispatch', usage, { pool: 'video' })).toEqual([
      'ponos job dispatch --pool video - --ndjson < jobs',
      'ponos job dispatch --help',
    ]);
    // The dots stand for what was typed; another address is what this is about.
    expect(next('job show', new engine.TimeoutError('x'), away)).toEqual(['ponos job show ... --timeout 30s']);
    expect(next('job show', new engine.RedisUnavailableError('x'), away)).toEqual([
      'ponos ... --redis redis://HOST:PORT',
      'ponos dev up',
    ]);
  });

  it('is one line of JSON when asked for', () => {
    const report = reportError(new engine.NotFoundError('map', 'x'), { ...context, json: true });
    expect(report.trimEnd()).not.toContain('\n');
    expect(JSON.parse(report)).toEqual({
      error: { code: 'NOT_FOUND', message: 'map "x" does not exist', next: ['ponos map list'], exitCode: 3 },
    });
  });

  it('holds no secret, no control character and no stack, whatever was thrown', () => {
    const bug = new Error('failed with topsecret at redis://me:alsosecret@h\u001b[2J');
    for (const json of [false, true]) {
      const report = reportError(bug, { ...context, json });
      expect(report).not.toMatch(/topsecret|alsosecret|\u001b|at .*\.ts/);
      expect(report).toContain('UNEXPECTED');
    }
  });

  it('takes its colours only where they are wanted', () => {
    expect(reportError(new UsageError('x'), context)).not.toContain('\u001b');
    expect(reportError(new UsageError('x'), { ...context, color: true })).toMatch(/^\u001b\[1;31mError:/);
  });
});

describe('an error of the parser', () => {
  class FailedFlagValidationError extends Error {}
  class CLIError extends Error {}
  it.each([
    [
      new FailedFlagValidationError(
        'The following error occurred:\n  --attempts=2 cannot also be provided when using --retries\nSee more help with --help',
      ),
      '--attempts cannot also be provided when using --retries',
    ],
    [new CLIError('Parsing --state \n\t--state must be one of: dead'), '--state must be one of: dead'],
  ])('is told in few words', (error, told) => {
    expect(fromOclifError(error, { flags: {}, args: {} })).toMatchObject({ message: told });
  });
});

describe('redaction', () => {
  it.each([
    ['redis://user:pa@ss/w@host', 'redis://***@host'],
    ['REDISS+CLUSTER://:x@a,b', 'REDISS+CLUSTER://***@a,b'],
    ['redis+sentinel://h/m?sentinelPassword=abc&db=1', 'redis+sentinel://h/m?sentinelPassword=***&db=1'],
    ['no address here', 'no address here'],
  ])('of %s', (given, shown) => expect(redact(given)).toBe(shown));

  it('blots out a known secret, unless it is too short to be told from a word', () => {
    expect(redact('a hunter2 b', ['hunter2', 'a', undefined])).toBe('a *** b');
  });
});
