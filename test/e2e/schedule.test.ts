import { describe, expect, it } from 'vitest';
import { useRedis } from '../support/fixture.ts';
import { poolCli, TASK_HANDLER } from '../support/pool-cli.ts';
import { until } from '../support/until.ts';

interface Shown {
  name: string;
  state: string;
  nextAtMs: number | null;
  firedCount: number;
}

describe('ponos schedule', () => {
  const redis = useRedis();
  const { run, json, worker, file } = poolCli(redis);
  const show = async (name: string) => (await json<{ item: Shown }>(['schedule', 'show', name])).item;

  it('dispatches jobs at its ticks, rests while paused, and is removed', async () => {
    await worker([file('task.ts', TASK_HANDLER)]);
    const added = await run(['schedule', 'add', 'poll', '--every', '200ms', '--key', 'poll-7', '--payload', 'x']);
    expect(added).toMatchObject({ code: 0, stdout: '' });
    expect(added.stderr).toMatch(/^schedule "poll" created; next \d{4}-.*, \d{4}-.*Z\n$/);
    await until(async () => (await show('poll')).firedCount >= 3, 'three ticks');
    expect((await run(['pool', 'events', '--key', 'poll-7', '-o', 'ndjson'])).stdout).toContain('"dispatched"');
    expect(await run(['schedule', 'pause', 'poll'])).toMatchObject({ code: 0, stdout: '' });
    expect(await show('poll')).toMatchObject({ state: 'PAUSED', nextAtMs: null });
    const resumed = await run(['schedule', 'resume', 'poll']);
    expect(resumed.stderr).toContain('schedule "poll" goes on; next ');
    expect(await run(['schedule', 'remove', 'poll'])).toMatchObject({ code: 8, stdout: '' });
    expect((await run(['schedule', 'remove', 'poll', '--dry-run'])).stdout).toContain('remove schedule "poll"');
    expect(await run(['schedule', 'rm', 'poll', '--yes'])).toMatchObject({ code: 0, stdout: '' });
    expect(await run(['schedule', 'show', 'poll'])).toMatchObject({ code: 3, stdout: '' });
  });

  it('shows the next tick in UTC and as a clock in its time zone shows it', async () => {
    await run(['job', 'dispatch', 'k', '--create']);
    const add = (...more: string[]) =>
      run(['schedule', 'add', 'nightly', '--cron', '30 3 * * *', '--time-zone', 'Asia/Kolkata', ...more]);
    expect(await add('--key', 'report', '--payload', 'p')).toMatchObject({ code: 0 });
    const shown = (await run(['schedule', 'show', 'nightly'])).stdout;
    expect(shown).toMatch(/NEXT +\d{4}-\d\d-\d\dT22:00:00.000Z \(in .*\)/);
    expect(shown).toMatch(/NEXT-LOCAL +\d{4}-\d\d-\d\d 03:30:00 Asia\/(Kolkata|Calcutta)/);
    expect((await run(['schedule', 'show', 'nightly', '--raw'])).stdout).toBe('p');
    expect((await run(['schedule', 'list'])).stdout).toContain('nightly   ● ACTIVE  30 3 * * * Asia/Kolkata');
    expect((await run(['schedule', 'ls', '-o', 'name'])).stdout).toBe('nightly\n');
    expect((await add('--key', 'report', '--payload', 'p')).stderr).toContain('unchanged');
    expect(await add('--key', 'other')).toMatchObject({ code: 4, stdout: '' });
    expect((await add('--key', 'other', '--replace', '-o', 'json')).stdout).toContain('"key":"other"');
  });

  it('refuses what is no schedule, and a pool that is not there', async () => {
    expect(await run(['schedule', 'add', 's', '--every', '10s'])).toMatchObject({ code: 3, stdout: '' });
    await run(['job', 'dispatch', 'k', '--create']);
    const none = await run(['schedule', 'list']);
    expect(none).toMatchObject({ code: 0, stdout: '' });
    expect(none.stderr).toContain('ponos schedule add');
    const bad = [
      [],
      ['--cron', '* * *'],
      ['--cron', '* * * * *', '--every', '10s'],
      ['--cron', '* * * * *', '--time-zone', 'Nowhere/There'],
      ['--every', '1ms'],
      ['--every', '1m', '--start', 'noon'],
      ['--every', '1m', '--misfire', 'some'],
    ];
    const tooSoon = await run(['schedule', 'add', 's', '--every', '10ms']);
    expect(tooSoon.stderr).toContain('Error: --every is 10ms, allowed: from 100ms to ');
    const nowhere = await run(['schedule', 'add', 's', '--every', '1m', '--pool', 'nowhere']);
    expect(nowhere.stderr).toMatch(/Try +ponos pool list /);
    expect(nowhere.stderr).not.toContain('ponos schedule list');
    for (const flags of bad)
      expect(await run(['schedule', 'add', 's', ...flags]), flags.join(' ')).toMatchObject({ code: 2 });
    expect((await run(['schedule', 'add', 's', '--every', '1m', '--dry-run'])).stdout).toContain('every 1m');
    const start = ['--start', '2030-01-01T00:00:00+01:00'];
    expect((await run(['schedule', 'add', 's', '--every', '1m', ...start])).stderr).toContain(
      '2029-12-31T23:00:00.000Z',
    );
  });
});
