import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { ponos, startPonos } from '../support/cli.ts';

/** What a demonstration leaves in the file system while it runs. */
function demoFolders(): string[] {
  return readdirSync(tmpdir()).filter(name => name.startsWith('ponos-demo-'));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('ponos demo', () => {
  it('keeps every promise it shows, and leaves nothing behind', async () => {
    const before = demoFolders();
    const { stdout, stderr, code } = await ponos(['demo'], { limitMs: 150_000 });
    expect(stdout).toMatch(/All \d+ expectations held/);
    expect(stdout).not.toContain('✗');
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(demoFolders()).toEqual(before);
  }, 160_000);

  it('ends its whole fleet on Ctrl-C', async () => {
    const before = demoFolders();
    const demo = startPonos(['demo'], { limitMs: 50_000 });
    await demo.says(/worker C is process \d+/);
    const pids = [...demo.stdout.matchAll(/process (\d+)/g)].map(match => Number(match[1]));
    expect(pids.length).toBe(4);
    const { code } = await demo.stop('SIGINT');
    expect(code).toBe(130);
    expect(pids.filter(isAlive)).toEqual([]);
    expect(demoFolders()).toEqual(before);
  }, 60_000);
});
