/** What the dashboard offers to copy has to be command lines that this very program understands. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { findProblems } from '../../src/engine/inspect/findings.ts';
import { type Act, actCommand } from '../../src/ui/act.ts';
import { unicodeGlyphs } from '../../src/ui/paint/glyphs.ts';
import { placeAt } from '../../src/ui/state.ts';
import type { Location, Scene } from '../../src/ui/view.ts';
import { tabs, views } from '../../src/ui/views/index.ts';
import { fleet, NOW_MS, pool, stream } from '../ui/fixtures.ts';

const run = promisify(execFile);
const executable = join(import.meta.dirname, '..', '..', 'bin', 'run.js');
const key = "it's a=b\n\x1b[31m 🎉";

const acts: Act[] = [
  { kind: 'stop-job', pool: 'video', key },
  { kind: 'stop-job', pool: 'video', key: '--yes' },
  { kind: 'notify-job', pool: 'video', key, payload: '{"a": 1}' },
  { kind: 'drain-worker', pool: 'video', worker: 'w-01' },
  { kind: 'set-map-value', map: 'settings', key, value: '-5', expected: '' },
  { kind: 'delete-map-key', map: 'settings', key: '__proto__' },
];

/** What a shell makes of the line, run against no Redis at all: the exit code tells whether it was understood. */
async function exitCodeOf(line: string): Promise<{ code: number; said: string }> {
  const script = line.replace(/^ponos /, `"$NODE" "$PONOS" `);
  const env = { ...process.env, NODE: process.execPath, PONOS: executable, PONOS_REDIS_URL: 'redis://127.0.0.1:1' };
  try {
    const { stdout, stderr } = await run('bash', ['-c', script], { env });
    return { code: 0, said: stdout + stderr };
  } catch (error) {
    const { code, stderr } = error as { code: number; stderr: string };
    return { code, said: stderr };
  }
}

function lookingCommands(): string[] {
  const scene: Scene = { snapshot: fleet, nowMs: NOW_MS, glyphs: unicodeGlyphs, ascii: false };
  const places: Location[] = [
    ...tabs.map(({ view, ofPool }) => ({ view, ...(ofPool ? { pool: 'video' } : {}) })),
    { view: 'job', pool: 'video', key },
    { view: 'sinks', stream: 'readings' },
    { view: 'pending', stream: 'readings', sink: 'fold' },
    { view: 'tail', stream: 'readings' },
    { view: 'entries', map: 'totals' },
    { view: 'value', map: 'totals', key: 'cpu0' },
  ];
  const lines = places.flatMap(at => {
    const listing = views[at.view].list(scene, placeAt(at));
    return [views[at.view].command(at), listing.item(0)?.command ?? ''];
  });
  const troubled = {
    ...fleet,
    pools: [pool('a', { deadCount: 1 }), pool('b', { workerCount: 0 }), pool('c', { jobCount: 99, limit: 100 })],
    streams: [stream('s', { deadCount: 1, oldestPendingMs: 99_000 })],
    stalledMs: new Map([['a', 60_000]]),
  };
  const advice = findProblems(troubled, NOW_MS).map(finding => finding.command ?? '');
  return [...new Set([...lines, ...advice])].filter(line => line.startsWith('ponos '));
}

describe('the command lines of the dashboard', () => {
  it.each(acts)('that act are understood: $kind', async act => {
    const line = actCommand(act).replace(/^(ponos \w+ \w+)/, '$1 --dry-run');
    const { code, said } = await exitCodeOf(line);
    // Understood, and then no Redis to look at.
    expect(code, `${line}: ${said}`).toBe(5);
  });

  it.each(lookingCommands())('that look are understood: %s', async line => {
    const { code, said } = await exitCodeOf(line.replace('HANDLER', "--exec 'sleep 1'"));
    // Understood, and then no Redis.
    expect(code, said).toBe(5);
  });
});
