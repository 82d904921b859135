/** Short forms of the stream commands for their tests, and lines to publish. */
import { type CliOptions, type CliResult, ponos } from './cli.ts';
import type { RedisFixture } from './fixture.ts';

export const HOSTILE = '\u001b]0;owned\u0007\u001b[2J\u202egpj.exe\u0000';

export function streamCli(redis: RedisFixture) {
  const env = (): Record<string, string> => ({ PONOS_REDIS_URL: redis.server.url, PONOS_PREFIX: redis.prefix });
  const cli = (args: string[], options: CliOptions = {}): Promise<CliResult> =>
    ponos(args, { ...options, env: { ...env(), ...options.env } });
  return {
    env,
    cli,
    /** Publishes one event and gives its id. */
    async publish(...args: string[]): Promise<string> {
      const { code, stdout, stderr } = await cli(['stream', 'publish', ...args]);
      if (code !== 0) throw new Error(stderr);
      return stdout.trim();
    },
    async payloads(...args: string[]): Promise<string[]> {
      const { stdout } = await cli(['stream', 'tail', ...args, '--no-follow', '--raw']);
      return stdout.split('\n').slice(0, -1);
    },
  };
}

/** Lines no one would choose: every byte, no UTF-8, carriage returns, empty, blank, long, escape sequences. */
export function nastyLines(count: number): Buffer {
  const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte).filter(byte => byte !== 10));
  const samples = [
    every,
    Buffer.alloc(0),
    Buffer.from('ends with a carriage return\r'),
    Buffer.from('   '),
    Buffer.from([0xff, 0xfe, 0x80, 0xc3]),
    Buffer.from(HOSTILE),
    Buffer.from('{"json": "\\u0000", "n": 12345678901234567890}'),
    Buffer.from('x'.repeat(70_000)),
    Buffer.from('\u{1f600} \ufeff ordinary'),
  ];
  const lines = Array.from({ length: count }, (_, at) =>
    at % 500 === 7 ? (samples[7] as Buffer) : at % 9 === 7 ? Buffer.from(`line ${at}`) : (samples[at % 9] as Buffer),
  );
  return Buffer.concat(lines.flatMap(line => [line, Buffer.from('\n')]));
}
