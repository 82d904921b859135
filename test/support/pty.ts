/** Runs the built command line on a terminal of its own (script of util-linux makes one), and gives what that terminal got. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const executable = join(import.meta.dirname, '..', '..', 'bin', 'run.js');

export const canMakeTerminals = process.platform === 'linux';

/** Escape sequences and all, with the terminal's own line ends made plain. */
export async function onTerminal(
  args: readonly string[],
  options: { env?: Record<string, string>; columns?: number; limitMs?: number } = {},
): Promise<string> {
  const home = mkdtempSync(join(tmpdir(), 'ponos-home-'));
  const words = [process.execPath, executable, ...args].map(word => `'${word.replaceAll("'", `'\\''`)}'`);
  const child = spawn('script', ['-qec', `stty cols ${options.columns ?? 120}; exec ${words.join(' ')}`, '/dev/null'], {
    env: { PATH: process.env.PATH, HOME: home, LANG: 'C.UTF-8', TERM: 'xterm', ...options.env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), options.limitMs ?? 20_000);
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of child.stdout) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString('utf8').replaceAll('\r\n', '\n');
  } finally {
    clearTimeout(timer);
    rmSync(home, { recursive: true, force: true });
  }
}
