import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ponosJson, startPonos } from '../support/cli.ts';
import { useRedis } from '../support/fixture.ts';
import { nastyLines, streamCli } from '../support/stream-cli.ts';
import { until } from '../support/until.ts';

const executable = join(import.meta.dirname, '..', '..', 'bin', 'run.js');
const PACKAGE_LOG = '/var/log/dpkg.log';
const FILES: [string, () => Buffer][] = [['of a generated file with every byte', () => nastyLines(5000)]];
if (existsSync(PACKAGE_LOG)) FILES.push(['of the package log of this machine', () => readFileSync(PACKAGE_LOG)]);

describe('lines of a file as events', () => {
  const redis = useRedis();
  const { cli, env, payloads } = streamCli(redis);

  test.each(FILES)('%s come back byte for byte, in their order', async (_name, read) => {
    const file = read();
    const lineCount = file.filter(byte => byte === 10).length;
    const published = await cli(['stream', 'publish', 'log', 'line', '-', '--lines'], { input: file });
    expect(published.code).toBe(0);
    const ids = published.stdout.split('\n').slice(0, -1);
    expect(ids.length).toBe(lineCount);
    expect(new Set(ids).size).toBe(lineCount);
    expect(published.stderr).toMatch(new RegExp(`^published ${lineCount} events to stream "log" in .+\n$`));
    const tailed = await cli(['stream', 'tail', 'log', '--from', 'oldest', '--no-follow', '--raw']);
    expect(tailed.code).toBe(0);
    expect(tailed.stdoutBytes.equals(file)).toBe(true);
    expect(tailed.stderr).toBe('');
  });

  test('a reader that goes away ends tail quietly, following or not', async () => {
    await cli(['stream', 'publish', 'log', 'line', '-', '--lines'], { input: nastyLines(2000) });
    for (const more of [['--no-follow'], ['--no-follow', '-o', 'ndjson'], []]) {
      const tail = [executable, 'stream', 'tail', 'log', '--from', 'oldest', ...more];
      const command = [process.execPath, ...tail].map(word => `'${word}'`).join(' ');
      const result = spawnSync('bash', ['-c', `set -o pipefail; ${command} | head -1`], {
        env: { PATH: process.env.PATH, HOME: tmpdir(), ...env() },
        timeout: 15_000,
      });
      expect(result.stdout.filter(byte => byte === 10).length).toBe(1);
      expect(result.stderr.toString()).toBe(more.length > 0 ? '' : 'following stream "log"; Ctrl-C ends it\n');
      expect(result.status).toBe(0);
    }
  });

  test('are all published when nobody reads the ids to the end', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ponos-e2e-'));
    redis.defer(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'log'), nastyLines(3000));
    const command = `'${process.execPath}' '${executable}' stream publish log line - --lines -o ndjson < log`;
    const result = spawnSync('bash', ['-c', `set -o pipefail; ${command} | head -1`], {
      cwd: folder,
      env: { PATH: process.env.PATH, HOME: tmpdir(), ...env() },
    });
    expect(result.status).toBe(0);
    expect(await ponosJson(['stream', 'show', 'log'], { env: env() })).toMatchObject({ item: { length: 3000 } });
  });

  test('of a pipe that stays open are published as they come', async () => {
    const running = startPonos(['stream', 'publish', 'log', 'line', '-', '--lines'], { env: env() });
    redis.defer(() => running.stop('SIGKILL'));
    running.process.stdin?.write('first\nsec');
    await until(async () => (await payloads('log').catch(() => [])).length === 1, 'the first line to be published');
    await running.says(/^\d+-\d+\n/);
    running.process.stdin?.write('ond\n');
    await until(async () => (await payloads('log')).length === 2, 'the second line to be published');
    const { code } = await running.stop('SIGINT');
    expect(code).toBe(130);
    expect(await payloads('log')).toEqual(['first', 'second']);
  });
});
