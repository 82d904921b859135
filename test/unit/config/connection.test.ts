import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resolveConnection } from '../../../src/config/connection.ts';
import { processStart } from '../../../src/config/dev-state.ts';
import { describeOrigin } from '../../../src/config/origin.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ponos-config-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const resolve = (flags: Record<string, unknown>, env: Record<string, string> = {}) =>
  resolveConnection({ flags, env: { XDG_STATE_HOME: folder, ...env } });

/** What `ponos dev up` leaves behind. */
function leaveDevState(state: { pid: number; processStart: string | null }): void {
  mkdirSync(join(folder, 'ponos', 'dev'), { recursive: true });
  const text = JSON.stringify({ port: 6391, url: 'redis://127.0.0.1:6391', startedAtMs: 0, program: 'x', ...state });
  writeFileSync(join(folder, 'ponos', 'dev', 'server.json'), text);
}

function file(name: string, text: string, mode = 0o600): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

describe('the address of Redis', () => {
  it('comes from the flag, then PONOS_REDIS_URL, then REDIS_URL, then the default, and says so', () => {
    const env = { PONOS_REDIS_URL: 'redis://b', REDIS_URL: 'redis://c' };
    const from = (flags: Record<string, unknown>, variables: Record<string, string>) => {
      const { url } = resolve(flags, variables);
      return [url.value, describeOrigin(url.origin)];
    };
    expect(from({ redis: 'redis://a' }, env)).toEqual(['redis://a', 'flag --redis']);
    expect(from({}, env)).toEqual(['redis://b', 'env PONOS_REDIS_URL']);
    expect(from({}, { REDIS_URL: 'redis://c' })).toEqual(['redis://c', 'env REDIS_URL']);
    expect(from({}, {})).toEqual(['redis://127.0.0.1:6379', 'the default']);
  });

  it('takes an empty variable as one that is not set', () => {
    expect(resolve({}, { PONOS_REDIS_URL: '', REDIS_URL: 'redis://c' }).url.value).toBe('redis://c');
  });

  it('is that of a running "ponos dev" when nothing else is said', () => {
    leaveDevState({ pid: process.pid, processStart: processStart(process.pid) });
    expect(resolve({}).url).toEqual({ value: 'redis://127.0.0.1:6391', origin: { kind: 'dev', name: 'dev' } });
    expect(resolve({}, { REDIS_URL: 'redis://c' }).url.value).toBe('redis://c');
  });

  it.runIf(process.platform === 'linux')('is not that of another program that was given the same process id', () => {
    leaveDevState({ pid: process.pid, processStart: '1' });
    expect(resolve({}).url.origin.kind).toBe('default');
  });

  it('is not that of a "ponos dev" that has ended, nor of a state file that is damaged', () => {
    leaveDevState({ pid: 2 ** 22 + 1, processStart: null });
    expect(resolve({}).url.origin.kind).toBe('default');
    writeFileSync(join(folder, 'ponos', 'dev', 'server.json'), '{"pid":');
    expect(resolve({}).url.origin.kind).toBe('default');
  });

  it('is refused when malformed, naming where it came from and no secret', () => {
    const thrown = () => resolve({}, { PONOS_REDIS_URL: 'http://u:hunter2@h' });
    expect(thrown).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', hint: expect.stringContaining('redis://') }),
    );
    expect(thrown).toThrow(/^env PONOS_REDIS_URL: /);
    expect(thrown).not.toThrow(/hunter2/);
  });
});

describe('credentials', () => {
  it('come from a file, without its last line feed, before the environment', () => {
    const path = file('password', 'p a\n');
    expect(resolve({ 'password-file': path }, { PONOS_REDIS_PASSWORD: 'other' }).password?.value).toBe('p a');
    expect(resolve({}, { PONOS_REDIS_PASSWORD: 'other', PONOS_REDIS_USERNAME: 'u' })).toMatchObject({
      password: { value: 'other', origin: { kind: 'env', name: 'PONOS_REDIS_PASSWORD' } },
      username: { value: 'u' },
    });
  });

  it('of an address given by the flag win over the environment', () => {
    expect(resolve({ redis: 'redis://:mine@h' }, { PONOS_REDIS_PASSWORD: 'other' }).password).toBeUndefined();
  });

  it('never go to a Redis of "ponos dev"', () => {
    leaveDevState({ pid: process.pid, processStart: processStart(process.pid) });
    const settings = resolve({}, { PONOS_REDIS_PASSWORD: 'secret', PONOS_REDIS_USERNAME: 'u' });
    expect(settings).toMatchObject({ password: undefined, username: undefined, tls: undefined });
  });

  it('in a file others can read give a warning', () => {
    expect(resolve({ 'password-file': file('password', 'p', 0o644) }).warnings).toEqual([
      expect.stringMatching(/others can read .*--password-file/),
    ]);
    expect(resolve({ 'password-file': file('private', 'p', 0o600) }).warnings).toEqual([]);
  });

  it('in a file that is missing or empty are refused', () => {
    expect(() => resolve({ 'password-file': join(folder, 'none') })).toThrow(/flag --password-file: .*ENOENT/);
    expect(() => resolve({ 'password-file': file('empty', '\n') })).toThrow('the file is empty');
  });

  it('for TLS are read from files of flags and variables alike', () => {
    const settings = resolve(
      { 'tls-ca': file('ca', 'CA') },
      { PONOS_TLS_CERT: file('cert', 'CERT'), PONOS_TLS_INSECURE: '0' },
    );
    expect(settings.tls).toEqual({ ca: 'CA', cert: 'CERT', key: undefined, insecure: false });
  });
});

describe('other settings', () => {
  it('read-only takes yes and no in several words, and refuses others', () => {
    expect(resolve({}, { PONOS_READ_ONLY: 'yes' }).readOnly?.value).toBe(true);
    expect(resolve({}, { PONOS_READ_ONLY: '0' }).readOnly?.value).toBe(false);
    expect(() => resolve({}, { PONOS_READ_ONLY: 'maybe' })).toThrow('env PONOS_READ_ONLY is neither yes nor no');
  });

  it('the timeout is a duration', () => {
    expect(resolve({ timeout: '1m' }).timeoutMs?.value).toBe(60_000);
    expect(() => resolve({}, { PONOS_TIMEOUT: 'soon' })).toThrow('env PONOS_TIMEOUT: not a duration');
  });
});
