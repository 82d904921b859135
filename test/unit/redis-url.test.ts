import { describe, expect, it } from 'vitest';
import { parseRedisUrl, redactUrl } from '../../src/engine/redis/url.ts';

describe('an address of Redis', () => {
  it.each([
    ['redis://127.0.0.1', { kind: 'standalone', nodes: [{ host: '127.0.0.1', port: 6379 }], db: 0, tls: false }],
    ['redis://[::1]:7000/3', { kind: 'standalone', nodes: [{ host: '::1', port: 7000 }], db: 3 }],
    ['rediss://ann:p%40ss%3A@db.example:6380', { tls: true, username: 'ann', password: 'p@ss:' }],
    ['redis://:secret@host', { username: undefined, password: 'secret' }],
    ['unix:///run/redis/redis.sock?db=2', { kind: 'unix', path: '/run/redis/redis.sock', db: 2, nodes: [] }],
    [
      'redis+sentinel://u:p@a:1,b/mymaster/4?sentinelPassword=s',
      {
        kind: 'sentinel',
        nodes: [
          { host: 'a', port: 1 },
          { host: 'b', port: 26379 },
        ],
        masterName: 'mymaster',
        db: 4,
        sentinelPassword: 's',
      },
    ],
    [
      'rediss+cluster://a:1,b:2',
      {
        kind: 'cluster',
        tls: true,
        nodes: [
          { host: 'a', port: 1 },
          { host: 'b', port: 2 },
        ],
      },
    ],
  ])('%s is understood', (url, expected) => {
    expect(parseRedisUrl(url)).toMatchObject(expected);
  });

  it.each([
    'http://x',
    'redis:/x',
    'localhost:6379',
    '',
    'redis://h:99999',
    'redis://h/zero',
    'unix://',
    'redis+sentinel://a,b',
    'redis+cluster://a/1',
    'redis://a,,b',
    'redis://%zz:x@h',
  ])('%j is refused as a usage error', url => {
    expect(() => parseRedisUrl(url)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
  });

  it('shows neither user nor password, whatever its form', () => {
    for (const url of [
      'redis://user:sec:ret@host:1',
      'redis://user:sec@ret@host',
      'nonsense://user:secret@host',
      'redis+sentinel://h/m?sentinelPassword=secret&db=1',
    ]) {
      expect(redactUrl(url)).not.toMatch(/sec|ret|user/);
    }
  });
});
