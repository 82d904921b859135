/**
 * Where Redis is and how to reach it: flags > environment > the Redis of `ponos dev` > default.
 * Address and credentials go together: a Redis started by `ponos dev` gets no password meant for another server, and a
 * password inside an address given by a flag wins over one from the environment.
 */
import { readFileSync, statSync } from 'node:fs';
import { DEFAULT_REDIS_URL, OptionError, parseRedisUrl, type TlsOptions } from '../engine/index.ts';
import { parseDuration } from '../present/human.ts';
import { findDevServer } from './dev-state.ts';
import { lookUp, lookUpFlag, parsed, type Sources } from './lookup.ts';
import { DEFAULT_ORIGIN, describeOrigin, type Sourced } from './origin.ts';
import { stateFolder } from './paths.ts';

export interface ConnectionSettings {
  url: Sourced<string>;
  username: Sourced<string> | undefined;
  password: Sourced<string> | undefined;
  tls: TlsOptions | undefined;
  prefix: Sourced<string> | undefined;
  readOnly: Sourced<boolean> | undefined;
  timeoutMs: Sourced<number> | undefined;
  /** What the user should know and does not stop anything. */
  warnings: string[];
}

/** @throws OptionError when a setting is malformed or a file cannot be read. It names the setting, never a secret. */
export function resolveConnection(sources: Sources): ConnectionSettings {
  const warnings: string[] = [];
  const url = resolveUrl(sources);
  const plain = url.origin.kind === 'dev';
  const timeout = lookUp({ flag: 'timeout', env: ['PONOS_TIMEOUT'] }, sources);
  return {
    url,
    username: plain ? undefined : lookUp({ env: ['PONOS_REDIS_USERNAME'] }, sources),
    password: plain ? undefined : resolvePassword(url, sources, warnings),
    tls: plain ? undefined : resolveTls(sources),
    prefix: lookUp({ flag: 'prefix', env: ['PONOS_PREFIX'] }, sources),
    readOnly: lookUpFlag({ flag: 'read-only', env: ['PONOS_READ_ONLY'] }, sources),
    timeoutMs: timeout && parsed(timeout, parseDuration),
    warnings,
  };
}

function resolveUrl(sources: Sources): Sourced<string> {
  const given = lookUp({ flag: 'redis', env: ['PONOS_REDIS_URL', 'REDIS_URL'] }, sources);
  if (given) {
    parsed(given, parseRedisUrl);
    return given;
  }
  const dev = findDevServer(stateFolder(sources.env));
  if (dev) return { value: dev.url, origin: { kind: 'dev', name: 'dev' } };
  return { value: DEFAULT_REDIS_URL, origin: DEFAULT_ORIGIN };
}

function resolvePassword(url: Sourced<string>, sources: Sources, warnings: string[]): Sourced<string> | undefined {
  const file = lookUp({ flag: 'password-file' }, sources);
  if (file) return { value: readSecret(file, warnings), origin: file.origin };
  if (url.origin.kind === 'flag' && parseRedisUrl(url.value).password !== undefined) return undefined;
  return lookUp({ env: ['PONOS_REDIS_PASSWORD'] }, sources);
}

function resolveTls(sources: Sources): TlsOptions | undefined {
  const file = (name: string) => {
    const found = lookUp({ flag: `tls-${name}`, env: [`PONOS_TLS_${name.toUpperCase()}`] }, sources);
    return found && readFile(found).toString('utf8');
  };
  const insecure = lookUpFlag({ flag: 'tls-insecure', env: ['PONOS_TLS_INSECURE'] }, sources);
  const tls = { ca: file('ca'), cert: file('cert'), key: file('key'), insecure: insecure?.value };
  return Object.values(tls).some(value => value !== undefined) ? tls : undefined;
}

function readSecret(file: Sourced<string>, warnings: string[]): string {
  // An editor or `echo` ends the file with a line feed that is no part of the password.
  const secret = readFile(file)
    .toString('utf8')
    .replace(/\r?\n$/, '');
  if (secret === '') throw new OptionError(`${describeOrigin(file.origin)}: the file is empty`);
  if (process.platform !== 'win32' && (statSync(file.value).mode & 0o077) !== 0) {
    warnings.push(`others can read the file of ${describeOrigin(file.origin)}; chmod 600 it`);
  }
  return secret;
}

function readFile(file: Sourced<string>): Buffer {
  try {
    return readFileSync(file.value);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new OptionError(`${describeOrigin(file.origin)}: the file "${file.value}" cannot be read (${code})`, {
      cause: error,
    });
  }
}
