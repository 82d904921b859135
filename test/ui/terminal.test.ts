/** The built dashboard on a real terminal, over a real Redis with a real fleet. */
import { describe, expect, it } from 'vitest';
import { ponos } from '../support/cli.ts';
import { useRedis } from '../support/fixture.ts';
import { FleetProcess } from '../support/fleet.ts';
import { Terminal, type TerminalOptions } from '../support/terminal.ts';
import { until } from '../support/until.ts';

const FIRST_FRAME_MS = 15_000;

describe('the dashboard on a real terminal', () => {
  const redis = useRedis();

  async function startFleet(): Promise<FleetProcess> {
    const fleet = await FleetProcess.start(redis.server.url, redis.prefix);
    redis.defer(() => fleet.kill());
    return fleet;
  }

  async function openTerminal(options: TerminalOptions = {}): Promise<Terminal> {
    const terminal = await Terminal.open({
      ...options,
      env: { PONOS_REDIS_URL: redis.server.url, PONOS_PREFIX: redis.prefix, ...options.env },
    });
    redis.defer(() => terminal.close());
    return terminal;
  }

  async function openDashboard(options: TerminalOptions = {}, ...args: string[]): Promise<Terminal> {
    const terminal = await openTerminal(options);
    terminal.type(`seq 1 300; ${Terminal.command('dashboard', ...args)}; echo "ended with $?"`);
    await terminal.shows('LIVE', FIRST_FRAME_MS);
    return terminal;
  }

  /** A dialog does not take what was typed before it could be seen. */
  function takesKeys(): Promise<void> {
    return new Promise(resolve => setTimeout(resolve, 200));
  }

  /** The frame fills the screen: its head in the first row, its keys in the last, each once. */
  function expectWhole(terminal: Terminal, rows: number): void {
    const seen = terminal.rows();
    expect(seen).toHaveLength(rows);
    expect(seen[0]).toMatch(/^ ponos /);
    expect(seen.at(-1)).toMatch(/q quit/);
    expect(
      seen.filter(row => row.startsWith(' ponos ')),
      seen.join('\n'),
    ).toHaveLength(1);
    expect(seen.filter(row => row.includes('q quit'))).toHaveLength(1);
  }

  /** The terminal as the person left it. */
  async function expectRestored(terminal: Terminal, code: number): Promise<void> {
    await terminal.shows(`ended with ${code}`);
    const state = terminal.state();
    expect(state).toMatchObject({ alternate: false, cursor: true });
    expect(state.scrollback).toBeGreaterThan(200);
    terminal.type('stty -a | grep -oE -- "-?(icanon|echo) "');
    await terminal.shows(/^icanon/m);
    expect(terminal.text()).toMatch(/^echo/m);
  }

  it.each([
    [80, 24],
    [120, 40],
  ])('shows the fleet at %i x %i', async (columns, rows) => {
    await startFleet();
    const terminal = await openDashboard({ columns, rows });
    await terminal.shows(/video .* 20 .* OK/);
    await terminal.shows(/readings .* 1 /);
    expectWhole(terminal, rows);
    terminal.keys('3');
    await terminal.shows(/w-3 .* ALIVE/);
    expectWhole(terminal, rows);
    terminal.keys('4');
    await terminal.shows(/tenant-0 .* RUNNING/);
    terminal.keys('Enter');
    await terminal.shows('"n": 0');
    expectWhole(terminal, rows);
    terminal.keys('q', 'q');
    await expectRestored(terminal, 0);
  });

  it('is right after a storm of resizes, and leaves the scrollback alone', async () => {
    await startFleet();
    const terminal = await openDashboard({ columns: 120, rows: 40 });
    await terminal.shows(/video .* OK/);
    const { scrollback } = terminal.state();
    for (let turn = 0; turn < 3; turn++) {
      for (const [columns, rows] of [
        [80, 24],
        [60, 40],
        [200, 60],
        [60, 15],
        [100, 20],
        [80, 24],
      ] as const) {
        terminal.resize(columns, rows);
      }
    }
    for (const [columns, rows] of [
      [60, 15],
      [200, 60],
      [120, 40],
      [80, 24],
    ] as const) {
      terminal.resize(columns, rows);
      await until(() => {
        const seen = terminal.rows();
        return seen.length === rows && seen[0]?.startsWith(' ponos ') && seen.at(-1)?.includes('q quit');
      }, `a whole frame at ${columns} x ${rows}`).catch(() => {});
      expectWhole(terminal, rows);
    }
    expect(terminal.state().scrollback).toBe(scrollback);
    terminal.keys('q');
    await expectRestored(terminal, 0);
  });

  it('keeps what it knows while Redis is away, and is live again when it is back', async () => {
    const fleet = await startFleet();
    const terminal = await openDashboard();
    await terminal.shows(/video .* 20 /);
    await fleet.kill();
    await redis.server.down('SIGKILL');
    await terminal.shows(/STALE \d+s/);
    expect(terminal.text()).toMatch(/video .* 20 /);
    expectWhole(terminal, 24);
    terminal.keys('3');
    await terminal.shows('workers(video)');
    await redis.server.up();
    await terminal.shows('LIVE');
    terminal.keys('1');
    await terminal.shows('none yet');
    terminal.keys('q');
    await expectRestored(terminal, 0);
  });

  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGHUP', 129],
  ] as const)('gives the terminal back on %s', async (signal, code) => {
    const terminal = await openTerminal();
    terminal.type('seq 1 300');
    const pid = await terminal.start(Terminal.command('dashboard'));
    await terminal.shows('LIVE', FIRST_FRAME_MS);
    process.kill(pid, signal);
    await expectRestored(terminal, code);
  });

  it('gives the terminal back when something breaks it, and shows what', async () => {
    const terminal = await openTerminal({ columns: 120 });
    const breaker = 'process.once("SIGUSR2", () => { throw new Error("broken on purpose"); })';
    terminal.type('seq 1 300');
    terminal.type(`export NODE_OPTIONS='--import=data:text/javascript,${encodeURIComponent(breaker)}'`);
    const pid = await terminal.start(Terminal.command('dashboard'));
    await terminal.shows('LIVE', FIRST_FRAME_MS);
    process.kill(pid, 'SIGUSR2');
    await terminal.shows('broken on purpose');
    await expectRestored(terminal, 1);
  });

  it('gives the terminal back on ctrl-c and while it is suspended, and comes back from there', async () => {
    const terminal = await openTerminal();
    terminal.type(`seq 1 300; ${Terminal.command('dashboard')}`);
    await terminal.shows('LIVE', FIRST_FRAME_MS);
    terminal.keys('C-z');
    await terminal.shows('Stopped');
    expect(terminal.state()).toMatchObject({ alternate: false, cursor: true });
    terminal.type('echo still $((40 + 2)) here');
    await terminal.shows('still 42 here');
    terminal.type('fg');
    await until(() => terminal.state().alternate, 'the screen of the dashboard');
    await terminal.shows('LIVE');
    terminal.keys('5');
    await terminal.shows('no stream');
    expectWhole(terminal, 24);
    terminal.keys('C-c');
    await until(() => !terminal.state().alternate, 'the own screen');
    terminal.type('echo "ended with $?"');
    await expectRestored(terminal, 0);
  });

  it('acts only after a yes, and only on what was asked', async () => {
    await startFleet();
    const terminal = await openDashboard({}, '--view', 'jobs');
    await terminal.shows(/tenant-0 .* RUNNING/);
    terminal.keys('j');
    await terminal.shows(/▶ tenant-1 /);
    // Keys that act count only when they come alone.
    terminal.keys('D');
    await terminal.shows('Stop job tenant-1 of pool video?');
    await takesKeys();
    terminal.keys('Enter');
    await terminal.shows('nothing was done');
    terminal.keys('D');
    await terminal.shows('Stop job tenant-1 of pool video?');
    await takesKeys();
    terminal.keys('y');
    // What it says of the act gives way at once to what it says of the row that vanished: the outcome is what counts.
    await terminal.shows('jobs(video) 19');
    expect(terminal.text()).not.toMatch(/^..tenant-1 /m);
    terminal.keys('q');
    await terminal.shows('ended with 0');
  });

  it('shows hostile names without obeying them', async () => {
    const link = await redis.connect();
    const evil = '\x1b]0;owned\x07\x1b[2J\x1b[31mred\u202e';
    await link.registry.add('pools', 'fine');
    expect(
      (
        await ponos(['map', 'set', 'settings', evil, evil], {
          env: { PONOS_REDIS_URL: redis.server.url, PONOS_PREFIX: redis.prefix },
        })
      ).code,
    ).toBe(0);
    const terminal = await openDashboard({}, '--view', 'maps');
    const { title } = terminal.state();
    await terminal.shows('settings');
    terminal.keys('Enter');
    await terminal.shows(/\\x1b\]0;owned/);
    expectWhole(terminal, 24);
    expect(terminal.state().title).toBe(title);
  });

  it('removes the acting keys when read-only, and draws in ASCII and without colour when asked', async () => {
    await startFleet();
    const terminal = await openDashboard({ env: { NO_COLOR: '1' } }, '--view', 'jobs', '--read-only', '--ascii');
    await terminal.shows(/tenant-0 .* RUNNING/);
    expect(terminal.text()).toContain('RO');
    expect(terminal.text()).not.toContain('D stop');
    expect(terminal.text()).toMatch(/^[\x20-\x7e\n]*$/);
    terminal.keys('D');
    terminal.keys('?');
    // A dialog would have taken the second key.
    await terminal.shows('MOVE');
    expect(terminal.text()).not.toContain('ACT');
  });
});

describe('the dashboard without a terminal', () => {
  const redis = useRedis();
  const env = () => ({ PONOS_REDIS_URL: redis.server.url, PONOS_PREFIX: redis.prefix });

  it('says so, and what to do instead', async () => {
    const { code, stderr, stdout } = await ponos(['dashboard'], { env: env() });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('needs a terminal');
    expect(stderr).toContain('--once');
  });

  it('prints one frame with --once, as text or as JSON', async () => {
    const fleet = await FleetProcess.start(redis.server.url, redis.prefix);
    redis.defer(() => fleet.kill());
    const { code, stdout } = await ponos(['dashboard', '--once'], { env: env() });
    expect(code).toBe(0);
    expect(stdout).toMatch(/video .* 20 .* OK/);
    expect(stdout).not.toContain('\x1b');
    const jobs = await ponos(['dashboard', '--once', '--view', 'jobs'], { env: env() });
    expect(jobs.stdout).toMatch(/tenant-19 .* RUNNING/);
    const json = JSON.parse((await ponos(['dashboard', '--once', '--json'], { env: env() })).stdout);
    expect(json).toMatchObject({
      apiVersion: 'ponos/v1',
      kind: 'Fleet',
      item: { pools: [{ name: 'video', jobCount: 20 }] },
    });
    expect((await ponos(['dashboard', '--once', '--view', 'jobs', '--pool', 'nope'], { env: env() })).code).toBe(3);
  });
});
