import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type CliOptions, ndjson, ponos, ponosJson, startPonos } from '../support/cli.ts';
import { useRedis } from '../support/fixture.ts';

const AWKWARD = ['a=b', '__proto__', '🜂 émile', '\u001b]0;owned\u0007', '-', '--', 'two\nlines', '{}*?', '\u202e', ' '];

describe('ponos map', () => {
  const redis = useRedis();
  const options = (more: CliOptions = {}): CliOptions => ({
    ...more,
    env: { PONOS_REDIS_URL: redis.server.url, PONOS_PREFIX: redis.prefix, ...more.env },
  });
  const run = (...args: string[]) => ponos(['map', ...args], options());

  it('gives back what was set, whatever the key and the value', async () => {
    for (const text of AWKWARD) {
      expect(await ponos(['map', 'set', 'm', '--', text, '-'], options({ input: `v${text}` }))).toMatchObject({
        code: 0,
        stdout: '',
      });
      const got = await ponos(['map', 'get', 'm', '--raw', '--', text], options());
      expect(got.stdout).toBe(`v${text}`);
    }
    const { items } = await ponosJson<{ items: { key: string; value: string }[] }>(['map', 'get', 'm'], options());
    expect(new Map(items.map(item => [item.key, item.value]))).toEqual(
      new Map(AWKWARD.map(text => [text, `v${text}`])),
    );
  });

  it('keeps bytes that are no text, and says how it writes them in JSON', async () => {
    const bytes = Buffer.from([0, 255, 10, 13, 254, 10]);
    await ponos(['map', 'set', 'm', 'bin', '-'], options({ input: bytes }));
    expect((await run('get', 'm', 'bin', '--raw')).stdoutBytes).toEqual(bytes);
    const { item } = await ponosJson<{ item: Record<string, string> }>(['map', 'get', 'm', 'bin'], options());
    expect(item).toEqual({ map: 'm', key: 'bin', value: bytes.toString('base64'), valueEncoding: 'base64' });
  });

  it('keeps an empty value, and never reads a pipe by surprise', async () => {
    expect((await run('set', 'm', 'k', '')).code).toBe(0);
    expect(await run('get', 'm', 'k', '--raw')).toMatchObject({ code: 0, stdout: '' });
    const result = await ponos(['map', 'set', 'm', 'k'], options({ input: 'from the pipe' }));
    expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining('missing VALUE') });
  });

  it('says that a key or a map is missing with 3', async () => {
    await run('set', 'm', 'k', 'v');
    expect(await run('get', 'm', 'other')).toMatchObject({
      code: 3,
      stdout: '',
      stderr: expect.stringContaining('"other"'),
    });
    expect(await run('get', 'none', 'k')).toMatchObject({ code: 3, stderr: expect.stringContaining('map "none"') });
    expect(await run('get', 'none')).toMatchObject({ code: 3, stdout: '' });
    expect((await run('delete', 'm', 'other', '--yes')).code).toBe(3);
  });

  it('sets under a condition, and says with 4 that it did not hold', async () => {
    expect((await run('set', 'm', 'k', 'one', '--if-absent')).code).toBe(0);
    expect((await run('set', 'm', 'k', 'two', '--if-absent')).code).toBe(4);
    expect((await run('set', 'm', 'k', 'two', '--if-value', 'wrong')).code).toBe(4);
    expect((await run('set', 'm', 'k', 'two', '--if-value', 'one')).code).toBe(0);
    expect((await run('get', 'm', 'k')).stdout).toBe('two\n');
    expect((await run('set', 'm', 'absent', 'x', '--if-value', 'y')).code).toBe(4);
  });

  it('increments exactly, and refuses what is no integer', async () => {
    expect((await run('increment', 'm', 'n')).stdout).toBe('1\n');
    expect((await run('increment', 'm', 'n', '9007199254740993')).stdout).toBe('9007199254740994\n');
    expect((await run('incr', 'm', 'n', '-9007199254740999')).stdout).toBe('-5\n');
    await run('set', 'm', 'word', 'x');
    expect((await run('increment', 'm', 'word')).code).toBe(4);
    expect((await run('increment', 'm', 'n', '1.5')).code).toBe(2);
  });

  it('edits lists', async () => {
    expect((await run('append', 'm', 'l', 'a', 'b', 'a')).stdout).toBe('a\nb\na\n');
    expect((await run('append', 'm', 'l', 'b', 'c', '--unique')).stdout).toBe('a\nb\na\nc\n');
    expect((await run('remove', 'm', 'l', 'a')).stdout).toBe('b\nc\n');
    const write = await ponosJson<{ item: object }>(['map', 'append', 'm', 'l', 'd'], options());
    expect(write.item).toMatchObject({ map: 'm', key: 'l', changed: true, items: ['b', 'c', 'd'] });
  });

  it('deletes only when it is confirmed', async () => {
    await run('set', 'm', 'k', 'v');
    expect(await run('delete', 'm', 'k')).toMatchObject({ code: 8, stderr: expect.stringContaining('--yes') });
    expect((await run('get', 'm', 'k')).stdout).toBe('v\n');
    expect((await run('delete', 'm', 'k', '--yes')).code).toBe(0);
    expect((await run('get', 'm', 'k')).code).toBe(3);
  });

  it('tells of several deletions that some were not there with 9', async () => {
    await run('set', 'm', 'k', 'v');
    expect((await run('delete', 'm', 'k', 'none', '--yes')).code).toBe(9);
  });

  it('does nothing in a dry run but say what it would do', async () => {
    expect(await run('set', 'm', 'k', 'v', '--dry-run')).toMatchObject({
      code: 0,
      stdout: 'WOULD  set "k" in map "m"\n',
    });
    expect((await run('set', 'm', 'k', 'v', '--dry-run', '--json')).stdout).toContain('"kind":"Plan"');
    expect((await run('list', '-o', 'name')).stdout).toBe('');
  });

  it('lists and shows maps in every format', async () => {
    await run('set', 'm', 'k', 'v');
    expect((await run('list')).stdout).toMatch(/^MAP +KEYS +SIZE +REPLICAS +EXPIRES +STATE\nm +1 .*● OK/);
    expect((await run('ls', '-o', 'name')).stdout).toBe('m\n');
    expect((await run('list', '-o', 'csv', '--no-headers')).stdout).toMatch(/^m,1,/);
    expect(ndjson((await run('list', '-o', 'ndjson')).stdout)).toEqual([
      expect.objectContaining({ type: 'map', name: 'm', keyCount: 1 }),
    ]);
    expect((await run('show', 'm', '-o', 'yaml')).stdout).toMatch(
      /^apiVersion: ponos\/v1\nkind: Map\nitem:\n {2}name: m\n/,
    );
    const show = await ponosJson(['map', 'info', 'm'], options());
    expect(show).toMatchObject({ apiVersion: 'ponos/v1', kind: 'Map', item: { name: 'm', keyCount: 1 } });
  });

  it('shows in one process what another writes, with every key intact', async () => {
    await run('set', 'm', 'there', 'before');
    const watch = startPonos(['map', 'watch', 'm', '-o', 'ndjson'], options());
    await watch.says('snapshot-end');
    for (const text of AWKWARD) await ponos(['map', 'set', 'm', '--', text, `v${text}`], options());
    await run('delete', 'm', 'a=b', '--yes');
    await watch.says('"type":"delete"');
    const result = await watch.stop('SIGINT');
    expect(result.code).toBe(130);
    expect(result.stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
    const records = ndjson<{ type: string; key?: string; value?: string }>(result.stdout);
    expect(records.map(({ type, key, value }) => [type, key, value])).toEqual([
      ['snapshot-begin', undefined, undefined],
      ['set', 'there', 'before'],
      ['snapshot-end', undefined, undefined],
      ...AWKWARD.map(text => ['set', text, `v${text}`]),
      ['delete', 'a=b', undefined],
    ]);
    for (const line of result.stdout.trimEnd().split('\n')) expect(line).toMatch(/^\{"type":"/);
  });

  it('ends a watch after so many changes, and shows escape sequences harmlessly', async () => {
    const watch = startPonos(['map', 'watch', 'm', '--updates', '--match', 'k*', '--count', '1'], options());
    await watch.says('watching map');
    await run('set', 'm', 'other', 'x');
    await run('set', 'm', 'k\u001b[2J', 'v\u001b[31m');
    const result = await watch.result;
    expect(result.code).toBe(0);
    expect(result.stdout).toMatch(/^[\d:.]+ {2}set {5}k\\x1b\[2J = v\\x1b\[31m\n$/);
  });

  it('says while watching that Redis went away, and goes on when it is back', async () => {
    const watch = startPonos(['map', 'watch', 'm', '-o', 'ndjson'], options());
    await watch.says('snapshot-end');
    await redis.server.down('SIGKILL');
    await watch.says('"type":"stale"');
    await redis.server.up();
    await watch.says('"type":"synced"');
    await run('set', 'm', 'k', 'after');
    await watch.says('after');
    expect((await watch.stop('SIGTERM')).code).toBe(143);
  });

  it('looks again and again with --watch, one snapshot a line where nobody reads tables', async () => {
    const watch = startPonos(['map', 'list', '--watch', '--every', '50ms'], options());
    await watch.says('"items":[]');
    await run('set', 'm', 'k', 'v');
    await watch.says('"keyCount":1');
    const result = await watch.stop('SIGINT');
    expect(result.code).toBe(130);
    expect(ndjson(result.stdout)[0]).toMatchObject({ type: 'snapshot', kind: 'MapList' });
  });

  it('ends quietly when its reader goes away', async () => {
    const input = Array.from({ length: 20 }, (_, at) => `key-${at}`);
    for (const key of input) await redisSet(key);
    const pipe = spawn(
      'bash',
      ['-c', 'set -o pipefail; "$0" "$@" | head -1', process.execPath, executable, 'map', 'get', 'm', '-o', 'ndjson'],
      {
        env: { PATH: process.env.PATH, HOME: '/nonexistent', ...options().env } as NodeJS.ProcessEnv,
      },
    );
    const out: Buffer[] = [];
    const errors: Buffer[] = [];
    pipe.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    pipe.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
    const code = await new Promise(resolve => pipe.once('close', resolve));
    expect([code, Buffer.concat(errors).toString()]).toEqual([0, '']);
    expect(ndjson(Buffer.concat(out).toString())).toHaveLength(1);
  });

  async function redisSet(key: string): Promise<void> {
    const { MapClient } = await import('../../src/engine/index.ts');
    const link = await redis.connect();
    const client = await MapClient.open(link, 'm');
    // Together far more than a pipe holds.
    await client.set(key, 'x'.repeat(50_000));
    await client.close();
    await link.close();
  }
});

const executable = join(import.meta.dirname, '..', '..', 'bin', 'run.js');
