/** Wrong input of each kind: the right exit code, what to do, no secret, no stack. */
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { type CliOptions, type CliResult, ponos } from '../support/cli.ts';
import { useRedis } from '../support/fixture.ts';
import { freePort } from '../support/redis.ts';

const SECRET = 'hunter2-very-secret';

/** What every failure must keep to. */
function expectDecent(result: CliResult, code: number): void {
  expect({ code: result.code, stderr: result.stderr }).toMatchObject({ code });
  expect(result.stdout).toBe('');
  expect(result.stderr).toMatch(/^Error: .+/);
  expect(result.stderr).toMatch(new RegExp(`Code {2}[A-Z_]+, exit ${code}\\n$`));
  expect(result.stderr, 'says what to do').toMatch(/^ {2}(Try|Hint) /m);
  expect(result.stderr, 'no stack').not.toMatch(/^\s+at /m);
  expect(result.stderr).not.toContain(SECRET);
  expect(result.stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
}

describe('a wrong command line', () => {
  const redis = useRedis();
  it.each<[string, string[], RegExp]>([
    ['an unknown command', ['mpa', 'get'], /no command "mpa"[\s\S]*ponos map/],
    ['an unknown command of a noun', ['map', 'gett', SECRET], /no command "map gett"[\s\S]*ponos map get/],
    ['an unknown flag', ['map', 'list', `--pasword=${SECRET}`], /unknown flag --pasword[\s\S]*--password-file/],
    ['an unknown short flag', ['map', 'list', '-Z'], /unknown flag -Z/],
    ['a missing argument', ['map', 'set', SECRET], /missing KEY \(Key\), VALUE/],
    ['an argument too many', ['map', 'get', 'a', 'b', SECRET], /one argument too many: the command takes only MAP KEY/],
    ['a flag without its value', ['map', 'list', '--redis'], /--redis expects a value/],
    [
      'a flag given twice',
      ['map', 'list', '--redis', `redis://:${SECRET}@a`, '--redis', 'redis://b'],
      /only be specified once/,
    ],
    ['an unknown format', ['map', 'list', '-o', SECRET], /--output must be one of: table, wide/],
    ['a number that is none', ['map', 'watch', 'm', '--count', SECRET], /--count: Expected an integer/],
    ['a number out of range', ['map', 'watch', 'm', '--count', '0'], /--count: .*greater than or equal to 1/],
    ['a duration that is none', ['map', 'list', '-w', '--every', 'soon'], /--every: not a duration[\s\S]*90s/],
    ['flags that exclude each other', ['map', 'set', 'm', 'k', 'v', '--if-absent', '--if-value', SECRET], /--if-/],
    ['a timeout that is none', ['map', 'list', '--timeout', 'soon'], /flag --timeout: not a duration/],
    ['a timeout out of range', ['map', 'list', '--timeout', '1ms'], /from 50 to 600000/],
    [
      'an address that is none',
      ['map', 'list', '--redis', `http://me:${SECRET}@h`],
      /flag --redis: .*is not an address/,
    ],
    ['a password file that is not there', ['map', 'list', '--password-file', '/nowhere'], /--password-file: .*ENOENT/],
    ['a bad key prefix', ['map', 'list', '--prefix', 'a b'], /key prefix name "a b" is not allowed/],
    ['a name that is not allowed', ['map', 'get', 'a b'], /map name "a b" is not allowed/],
  ])('%s', async (_what, args, says) => {
    const result = await ponos(args, { env: { PONOS_REDIS_URL: redis.server.url } });
    expectDecent(result, 2);
    expect(result.stderr).toMatch(says);
  });

  it('in a variable names the variable', async () => {
    const result = await ponos(['map', 'list'], { env: { PONOS_READ_ONLY: SECRET } });
    expectDecent(result, 2);
    expect(result.stderr).toContain('env PONOS_READ_ONLY is neither yes nor no');
  });

  it('is told as one line of JSON on stderr when JSON is asked for', async () => {
    for (const args of [
      ['mpa', '--json'],
      ['map', 'list', '--nope', '-o', 'ndjson'],
      ['map', 'watch', 'a b', '--json'],
    ]) {
      const result = await ponos(args, { env: { PONOS_REDIS_URL: redis.server.url } });
      expect(result.stdout).toBe('');
      expect(result.stderr.trimEnd()).not.toContain('\n');
      expect(JSON.parse(result.stderr)).toMatchObject({ error: { code: expect.any(String), exitCode: 2 } });
      expect(result.code).toBe(2);
    }
  });
});

describe('what is suggested', () => {
  const redis = useRedis();

  it('looks in the pool and the Redis that were given', async () => {
    const place = ['--redis', redis.server.url, '--prefix', redis.prefix];
    await ponos(['job', 'dispatch', 'a', '--pool', 'video', '--create', ...place]);
    const result = await ponos(['job', 'show', 'b', '--pool', 'video', ...place]);
    expectDecent(result, 3);
    const suggested = /Try +ponos (.*?) {2}/.exec(result.stderr)?.[1]?.split(' ') ?? [];
    expect((await ponos([...suggested, '-o', 'name'])).stdout).toBe('a\n');
  });
});

describe('a Redis that cannot be used', () => {
  const redis = useRedis({ args: ['--requirepass', SECRET], url: port => `redis://:${SECRET}@127.0.0.1:${port}` });
  const address = (userInfo: string) => `redis://${userInfo}127.0.0.1:${redis.server.port}`;
  const run = (env: CliOptions['env'], ...args: string[]) => ponos(['map', 'list', ...args], { env });

  it('because nothing answers: 5, with where the address came from', async () => {
    const url = `redis://me:${SECRET}@127.0.0.1:${await freePort()}`;
    const result = await run({ PONOS_REDIS_URL: url });
    expectDecent(result, 5);
    expect(result.stderr).toMatch(/ECONNREFUSED[\s\S]*the address comes from env PONOS_REDIS_URL[\s\S]*ponos dev up/);
  });

  it('because no sentinel answers: 5, and not never', async () => {
    const silent = await run({}, '--redis', `redis+sentinel://127.0.0.1:${await freePort()}/fleet`, '--timeout', '2s');
    expectDecent(silent, 5);
    expect(silent.stderr).toMatch(/names a master: none answers[\s\S]*the address comes from flag --redis/);
  });

  it('because what answers is no Redis: 5, and says so', async () => {
    const server = createServer(socket => socket.on('error', () => {}).write('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const result = await run({ PONOS_REDIS_URL: `redis://me:${SECRET}@127.0.0.1:${port}` });
      expectDecent(result, 5);
      expect(result.stderr).toMatch(/what answers at .* is no Redis[\s\S]*the address comes from env PONOS_REDIS_URL/);
    } finally {
      server.close();
    }
  });

  it('because it has no such database: 1, before anything is written', async () => {
    const args = ['--redis', `${address(`:${SECRET}@`)}/99`];
    const result = await ponos(['map', 'set', 'm', 'k', 'v', ...args]);
    expectDecent(result, 1);
    expect(result.stderr).toMatch(/has no database 99[\s\S]*the address comes from flag --redis/);
    expect((await run({}, '--redis', address(`:${SECRET}@`), '-o', 'name')).stdout).toBe('');
  });

  it('because it is no cluster: 1, with the address to use', async () => {
    const result = await run({}, '--redis', address(`:${SECRET}@`).replace('redis://', 'redis+cluster://'));
    expectDecent(result, 1);
    expect(result.stderr).toMatch(/is no cluster[\s\S]*the address comes from flag --redis[\s\S]*use redis:\/\//);
  });

  it('because the host is unknown: 5', async () => {
    expectDecent(await run({ REDIS_URL: 'redis://no-such-host.invalid' }), 5);
  });

  it('because the password is wrong, or missing: 6, with where it came from', async () => {
    const wrong = await run({ PONOS_REDIS_URL: address(''), PONOS_REDIS_PASSWORD: `${SECRET}-wrong` });
    expectDecent(wrong, 6);
    expect(wrong.stderr).toMatch(/WRONGPASS[\s\S]*the password from env PONOS_REDIS_PASSWORD[\s\S]*--password-file/);
    expectDecent(await run({ PONOS_REDIS_URL: address(`:${SECRET}-wrong@`) }), 6);
    expectDecent(await run({ PONOS_REDIS_URL: address('') }), 6);
  });

  it('is used with the right password, from wherever', async () => {
    expect((await run({ PONOS_REDIS_URL: address(''), PONOS_REDIS_PASSWORD: SECRET })).code).toBe(0);
    expect((await run({ PONOS_REDIS_URL: address(`:${SECRET}@`) })).code).toBe(0);
    expect((await run({}, '--redis', address(`default:${SECRET}@`))).code).toBe(0);
  });

  it('holds its tongue about secrets when asked to debug', async () => {
    const env = {
      PONOS_REDIS_URL: address(`:${SECRET}-wrong@`),
      DEBUG: '*',
      PONOS_DEBUG: '1',
      NODE_ENV: 'development',
    };
    const result = await run(env);
    expect(result.code).toBe(6);
    expect(result.stdout + result.stderr).not.toContain(SECRET);
  });
});

describe('a Redis that holds something else', () => {
  const redis = useRedis();
  const run = (...args: string[]) =>
    ponos(args, { env: { PONOS_REDIS_URL: redis.server.url, PONOS_PREFIX: redis.prefix } });

  it('of another type under a key of ours: 1, naming the key', async () => {
    const link = await redis.connect();
    await link.commands.call('SET', link.keys.map('m').data, 'no hash');
    for (const args of [
      ['map', 'get', 'm', 'k'],
      ['map', 'set', 'm', 'k', 'v'],
      ['map', 'watch', 'm', '--count', '1'],
    ]) {
      const result = await run(...args);
      expectDecent(result, 1);
      expect(result.stderr).toMatch(/WRONG_TYPE/);
      expect(result.stderr).toContain('the key prefix comes from env PONOS_PREFIX');
    }
  });

  it('but not what was asked for: 3, with what there is', async () => {
    const map = await run('map', 'show', 'nope');
    expectDecent(map, 3);
    expect(map.stderr).toContain('ponos map list');
  });

  it('and is asked for too much: 2, naming the limit', async () => {
    const key = await run('map', 'set', 'm', 'k'.repeat(2000), 'v');
    expectDecent(key, 2);
    expect(key.stderr).toContain('key of 2000 bytes is over the limit of 1024 bytes');
    expect((await run('map', 'list', '-o', 'name')).stdout).toBe('');
  });

  it('and must not be written to: 8, with who said so', async () => {
    const result = await run('map', 'set', 'm', 'k', 'v', '--read-only');
    expectDecent(result, 8);
    expect(result.stderr).toContain('read-only is set by flag --read-only');
    expect((await run('map', 'list')).stderr).toContain('There are no maps');
  });
});
