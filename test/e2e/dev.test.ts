import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CliOptions, ponos, ponosJson } from '../support/cli.ts';
import { until } from '../support/until.ts';

interface DevServer {
  url: string;
  pid: number;
  port: number;
  state: string;
}

let state = '';
const options = (env: CliOptions['env'] = {}): CliOptions => ({ env: { XDG_STATE_HOME: state, ...env } });
const dev = (...args: string[]) => ponos(['dev', ...args], options());
const up = async () => (await ponosJson<{ item: DevServer }>(['dev', 'up'], options())).item;
const file = () => join(state, 'ponos', 'dev', 'server.json');

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // What has ended and waits to be collected does not count.
    return process.platform !== 'linux' || !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'ponos-dev-'));
});
afterEach(async () => {
  await dev('down');
  rmSync(state, { recursive: true, force: true });
});

describe('ponos dev', () => {
  it('starts a Redis that other commands find by themselves, and keeps its data over a restart', async () => {
    const first = await up();
    expect((await ponos(['map', 'set', 'm', 'k', 'kept'], options())).code).toBe(0);
    expect((await dev('down')).code).toBe(0);
    await until(() => !isAlive(first.pid), 'the server to end');
    expect((await dev('status')).code).toBe(3);
    const second = await up();
    expect(second.url).toBe(first.url);
    expect((await ponos(['map', 'get', 'm', 'k'], options())).stdout).toBe('kept\n');
  });

  it('says that it runs already, and starts no second one', async () => {
    const first = await up();
    const again = await dev('up');
    expect(again).toMatchObject({ code: 0, stdout: `${first.url}\n`, stderr: expect.stringContaining('runs already') });
    expect(await up()).toMatchObject({ pid: first.pid });
  });

  it('starts one when two are asked for at once', async () => {
    const results = await Promise.all([dev('up'), dev('up')]);
    expect(results.map(result => result.code).sort()).toEqual([0, expect.any(Number)]);
    for (const result of results) if (result.code !== 0) expect(result).toMatchObject({ code: 4 });
    expect((await ponos(['map', 'list'], options())).code).toBe(0);
  });

  it('prints the line for a shell', async () => {
    const { url } = await up();
    expect((await dev('env')).stdout).toBe(`export PONOS_REDIS_URL=${url}\n`);
    await dev('down');
    expect(await dev('env')).toMatchObject({ code: 3, stdout: '', stderr: expect.stringContaining('ponos dev up') });
  });

  it('wipes only when that is confirmed', async () => {
    await up();
    await ponos(['map', 'set', 'm', 'k', 'v'], options());
    expect((await dev('down', '--wipe')).code).toBe(8);
    expect((await dev('status')).code).toBe(0);
    expect((await dev('down', '--wipe', '--yes')).code).toBe(0);
    await up();
    expect((await ponos(['map', 'list', '-o', 'name'], options())).stdout).toBe('');
  });

  it('never stops a process it did not start', async () => {
    const server = await up();
    const written = JSON.parse(readFileSync(file(), 'utf8')) as object;
    // The process id was given to another program since: here, to this one.
    writeFileSync(file(), JSON.stringify({ ...written, pid: process.pid }));
    const result = await dev('down');
    expect(isAlive(server.pid)).toBe(true);
    expect([0, 4]).toContain(result.code);
    writeFileSync(file(), JSON.stringify(written));
  });

  it('gives way to an address from a flag or the environment', async () => {
    await up();
    const result = await ponos(['map', 'list'], options({ PONOS_REDIS_URL: 'redis://127.0.0.1:1' }));
    expect(result).toMatchObject({ code: 5, stderr: expect.stringContaining('env PONOS_REDIS_URL') });
  });

  it('says how to install a server when there is none', async () => {
    const result = await ponos(['dev', 'up'], options({ PATH: '/nonexistent' }));
    expect(result).toMatchObject({ code: 3, stdout: '' });
    expect(result.stderr).toMatch(/redis-server.*valkey-server[\s\S]*[Ii]nstall/);
  });

  it('refuses a port that is taken', async () => {
    const { port } = await up();
    rmSync(file());
    expect((await dev('up', '--port', String(port))).code).toBe(4);
    await stopStray(port);
  });
});

/** The server whose state file a test removed. */
async function stopStray(port: number): Promise<void> {
  const { RedisLink } = await import('../../src/engine/index.ts');
  const link = await RedisLink.connect({ url: `redis://127.0.0.1:${port}` });
  await link.commands.call('SHUTDOWN', 'NOSAVE').catch(() => undefined);
  await link.close();
}
