/**
 * What children of `worker start --exec` wrote themselves, while a worker of three is killed: each line has the host's time,
 * so that who was alive when is known without asking Ponos.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { leasePresets } from '../../src/engine/index.ts';
import { useRedis } from '../support/fixture.ts';
import { isRunning, poolCli } from '../support/pool-cli.ts';
import { until } from '../support/until.ts';

const JOB_COUNT = 30;
const { leaseMs, graceMs } = leasePresets.fast;
const RECOVERY_LIMIT_MS = leaseMs + graceMs + 1000;

/** Appends `event key token pid ms`; one write each, so that lines of many children never mix. */
const CHILD = `#!/usr/bin/perl
use Time::HiRes qw(time sleep);
open(my $log, '>>', $ENV{CHILD_LOG}) or die;
sub note { syswrite($log, sprintf("%s %s %s %d %.2f\\n", $_[0], $ENV{PONOS_JOB_KEY}, $ENV{PONOS_JOB_TOKEN}, $$, time * 1000)) }
$SIG{TERM} = sub { note('end'); exit 0 };
note('start');
while (1) { sleep 0.05; note('beat') }
`;

interface Life {
  key: string;
  token: number;
  pid: number;
  firstMs: number;
  lastMs: number;
  ended: boolean;
}

function readLives(log: string): Life[] {
  const lives = new Map<string, Life>();
  for (const line of readFileSync(log, 'utf8').split('\n').slice(0, -1)) {
    const [event, key = '', token, pid, ms] = line.split(' ');
    const atMs = Number(ms);
    const life = lives.get(`${key} ${token}`);
    if (!life) {
      expect(event).toBe('start');
      lives.set(`${key} ${token}`, {
        key,
        token: Number(token),
        pid: Number(pid),
        firstMs: atMs,
        lastMs: atMs,
        ended: false,
      });
    } else {
      life.lastMs = atMs;
      life.ended = event === 'end';
    }
  }
  return [...lives.values()];
}

/** Pairs of lives of one key that were alive at the same time. */
function overlaps(lives: readonly Life[]): string[] {
  return [...Map.groupBy(lives, life => life.key)].flatMap(([key, own]) => {
    const ordered = own.toSorted((a, b) => a.token - b.token);
    return ordered.slice(1).flatMap((life, at) => (life.firstMs <= (ordered[at] as Life).lastMs ? [key] : []));
  });
}

describe('ponos worker start --exec, three times', () => {
  const redis = useRedis();
  const { run, worker, file } = poolCli(redis);

  it(`brings all of ${JOB_COUNT} child processes back within lease + grace + 1 s of a SIGKILL, and never runs two of a key`, async () => {
    const child = file('child.pl', CHILD);
    const log = file('log', '', 0o644);
    const limits = { env: { CHILD_LOG: log }, limitMs: 40_000 };
    const workers = await Promise.all([1, 2, 3].map(() => worker(['--exec', child, '--lease', 'fast'], limits)));
    const dispatchedMs = Date.now();
    const input = Array.from({ length: JOB_COUNT }, (_, at) => JSON.stringify({ key: `job-${at}` })).join('\n');
    expect(await run(['job', 'dispatch', '-', '--ndjson', '--wait', 'started'], { input })).toMatchObject({ code: 0 });
    const keys = (lives: readonly Life[]) => new Set(lives.map(life => life.key));
    await until(() => keys(readLives(log)).size === JOB_COUNT, 'every child to write');
    // What this machine, busy as it is, takes to get children going is not what the promise is about.
    const startingMs = Math.max(...readLives(log).map(life => life.firstMs)) - dispatchedMs;

    const counts = await Promise.all(
      workers.map(async one =>
        (await run(['job', 'list', '--worker', one.id, '-o', 'name'])).stdout.split('\n').slice(0, -1),
      ),
    );
    const victim = counts.reduce((most, own, at) => (own.length > (counts[most]?.length ?? 0) ? at : most), 0);
    const lost = counts[victim] as string[];
    expect(lost.length).toBeGreaterThan(0);
    const killedMs = Date.now();
    workers[victim]?.running.process.kill('SIGKILL');

    const isBack = (key: string, lives: readonly Life[]) =>
      lives.some(life => life.key === key && life.firstMs > killedMs);
    await until(() => lost.every(key => isBack(key, readLives(log))), 'the lost jobs to be back');
    const recovered = readLives(log).filter(life => lost.includes(life.key) && life.firstMs > killedMs);
    const slowestMs = Math.max(...recovered.map(life => life.firstMs - killedMs));
    expect(slowestMs).toBeLessThanOrEqual(RECOVERY_LIMIT_MS + startingMs);

    // All of them beat, the moved and the others.
    const nowMs = Date.now();
    const beating = () => keys(readLives(log).filter(life => life.lastMs > nowMs && !life.ended));
    await until(() => beating().size === JOB_COUNT, 'every child to beat');

    const others = workers.filter((_, at) => at !== victim);
    const results = await Promise.all(others.map(one => one.running.stop('SIGTERM')));
    expect(results.map(result => result.code)).toEqual([0, 0]);
    const lives = readLives(log);
    expect(overlaps(lives)).toEqual([]);
    expect(lives.filter(life => isRunning(life.pid))).toEqual([]);
  }, 60_000);
});
