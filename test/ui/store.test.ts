import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { FleetSnapshot } from '../../src/engine/index.ts';
import type { Act } from '../../src/ui/act.ts';
import { type DashboardOptions, DashboardStore } from '../../src/ui/dashboard-store.ts';
import type { FleetActions } from '../../src/ui/source.ts';
import { SettableSource } from './fake-source.ts';
import { fleet, jobsOf, NOW_MS } from './fixtures.ts';

let nowMs = 0;
const stores: DashboardStore[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  nowMs = 0;
});
afterEach(() => {
  for (const store of stores.splice(0)) store.stop();
  vi.useRealTimers();
});

function pass(ms: number): void {
  nowMs += ms;
  vi.advanceTimersByTime(ms);
}

function open(options: DashboardOptions = {}, snapshot: FleetSnapshot = fleet, mayAct = true) {
  const source = new SettableSource(snapshot);
  const acts: Act[] = [];
  const record = async (act: Act) => {
    acts.push(act);
    return 'done';
  };
  const actions: FleetActions = {
    'stop-job': record,
    'notify-job': record,
    'drain-worker': record,
    'set-map-value': record,
    'delete-map-key': async () => {
      throw new Error('it was changed meanwhile');
    },
  };
  const said: string[] = [];
  const store = new DashboardStore(
    source,
    mayAct ? actions : undefined,
    { columns: 100, rows: 30 },
    { pool: 'video', ...options },
    { wallMs: () => NOW_MS + nowMs, monotonicMs: () => nowMs },
  );
  stores.push(store);
  store.attach({
    quit: () => said.push('quit'),
    suspend: () => said.push('suspend'),
    redraw: () => said.push('redraw'),
    copy: text => said.push(`copy ${text}`),
  });
  store.start();
  const text = () =>
    store
      .getFrame()
      .join('\n')
      .replace(/\x1b\[[\d;]*m/g, '');
  const press = (...keys: string[]) => {
    for (const key of keys) {
      store.press([key]);
      pass(200);
    }
  };
  return { source, store, acts, said, text, press };
}

const stale: FleetSnapshot = {
  ...fleet,
  connection: { ...fleet.connection, state: 'STALE', error: 'away', attempts: 1 },
};

describe('data', () => {
  it('is shown at most four times a second, and the last is never lost', () => {
    const { source, store, text } = open();
    let frames = 0;
    store.subscribe(() => frames++);
    for (let turn = 0; turn < 1000; turn++) {
      source.set({
        ...fleet,
        pools: [{ ...(fleet.pools?.[0] as NonNullable<FleetSnapshot['pools']>[number]), jobCount: turn }],
      });
      pass(1);
    }
    pass(300);
    // One of them is the tick of the clock.
    expect(frames).toBeLessThanOrEqual(7);
    expect(text()).toMatch(/billing.* 999 /);
  });

  it('stands still while paused, but a lost connection is told', () => {
    const { source, press, text } = open();
    press('p');
    expect(source.pauses).toEqual([true]);
    expect(text()).toContain('PAUSED');
    source.set({ ...stale, pools: [] });
    pass(300);
    expect(text()).toContain('STALE');
    expect(text()).toContain('DEGRADED');
    source.set({ ...fleet, pools: [] });
    press('p');
    expect(source.pauses).toEqual([true, false]);
    expect(text()).not.toContain('DEGRADED');
  });

  it('is not listened to any more after the end', () => {
    const { source, store } = open();
    store.stop();
    expect(source.listenerCount).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a frame that cannot be drawn', () => {
  it('says so, and the next one is drawn again', () => {
    const { source, text, press, said } = open();
    source.set({ ...fleet, server: { address: {} } } as unknown as FleetSnapshot);
    pass(300);
    expect(text()).toContain('cannot draw');
    source.set(fleet);
    pass(300);
    expect(text()).toContain('DEGRADED');
    press('q');
    expect(said).toEqual(['quit']);
  });
});

describe('what is looked at', () => {
  it('is told to the source, with the rows on screen alone', () => {
    const { source, press } = open({}, { ...fleet, jobs: jobsOf(10_000) });
    expect(source.focuses.at(-1)).toEqual({ view: 'overview' });
    press('4', 'G');
    const focus = source.focuses.at(-1);
    expect(focus).toMatchObject({ view: 'jobs', pool: 'video' });
    const visible = focus?.view === 'jobs' ? focus.visible : [];
    expect(visible).toHaveLength(22);
    expect(visible.at(-1)).toBe([...(jobsOf(10_000)?.keys ?? [])].at(-1)?.key);
  });

  it('is a payload or a pending list only once it is opened', () => {
    const { source, press } = open();
    press('4', 'j', 'enter');
    expect(source.focuses.map(focus => focus.view)).toEqual(['overview', 'jobs', 'job']);
    press('esc', '5', 'enter', 'enter', 'q');
    expect(source.focuses.map(focus => focus.view).slice(3)).toEqual(['jobs', 'streams', 'sinks', 'pending', 'sinks']);
    press('t');
    expect(source.focuses.at(-1)?.view).toBe('tail');
  });
});

describe('the selection', () => {
  it('follows its row, and says when it is gone', () => {
    const { source, press, text } = open({ view: 'workers' });
    press('j', 'j');
    const without = (...ids: string[]) => ({
      ...fleet,
      workers: new Map([['video', (fleet.workers.get('video') ?? []).filter(worker => !ids.includes(worker.id))]]),
    });
    source.set(without('w-01'));
    pass(300);
    expect(text()).toMatch(/▶ w-03/);
    source.set(without('w-01', 'w-03'));
    pass(300);
    expect(text()).toMatch(/▶ w-04/);
    expect(text()).toContain('w-03 is gone');
  });

  it('is found again after going in and coming back', () => {
    const { press, text } = open({ view: 'workers' });
    press('j', 'j', 'j', 'enter');
    expect(text()).toContain('jobs(w-04)');
    press('esc');
    expect(text()).toMatch(/▶ w-04/);
  });
});

describe('an act', () => {
  it('asks first, with Cancel as default, and hits what was selected when it was asked', () => {
    const { source, press, acts, text } = open({ view: 'workers' });
    press('j', 'D');
    expect(text()).toContain('Drain worker w-02 of pool video?');
    expect(text()).toContain('[ Cancel ]');
    expect(text()).toContain('ponos worker drain --pool=video w-02');
    press('enter');
    expect(acts).toEqual([]);
    press('D');
    source.set({ ...fleet, workers: new Map([['video', [...(fleet.workers.get('video') ?? [])].reverse()]]) });
    pass(300);
    press('y');
    expect(acts).toEqual([{ kind: 'drain-worker', pool: 'video', worker: 'w-02' }]);
  });

  it('is not begun by keys typed ahead', () => {
    const { store, press, acts } = open({ view: 'workers' });
    store.press(['D', 'y']);
    store.press(['D']);
    store.press(['y']);
    pass(1000);
    expect(acts).toEqual([]);
    press('esc', 'D', 'tab', 'enter');
    expect(acts).toHaveLength(1);
  });

  it('says what came of it, failure included', async () => {
    const { store, press, text } = open({ view: 'workers' });
    press('D', 'y');
    await store.idle();
    expect(text()).toContain('done');
    press('6', 'j', 'enter', 'D', 'y');
    await store.idle();
    expect(text()).toContain('it was changed meanwhile');
  });

  it('is refused while the data is stale', () => {
    const { press, acts, text } = open({ view: 'workers' }, stale);
    press('D');
    expect(text()).toContain('refused: the data is stale');
    press('y');
    expect(acts).toEqual([]);
  });

  it('is refused when the connection is lost while the dialog is open', () => {
    const { source, press, acts } = open({ view: 'workers' });
    press('D');
    source.set(stale);
    press('y');
    expect(acts).toEqual([]);
  });

  it('does not exist when read-only', () => {
    const { press, acts, text } = open({ view: 'workers' }, fleet, false);
    expect(text()).toContain('RO');
    expect(text()).not.toContain('drain');
    press('D', 'y', 'enter');
    expect(text()).not.toContain('Cancel');
    expect(acts).toEqual([]);
  });

  it('takes a text first where it needs one, and compares with the value that was shown', () => {
    const { press, acts } = open({ view: 'maps' });
    press('j', 'enter', 'E', 'ctrl-u', 'n', 'e', 'w', 'enter', 'y');
    expect(acts).toEqual([
      { kind: 'set-map-value', map: 'totals', key: 'cpu0', value: 'new', expected: '{"count":120,"mean":0.31}' },
    ]);
  });

  it('is not possible on what a line cannot hold', () => {
    const { press, text } = open({ view: 'maps' });
    press('j', 'enter', 'G', 'E');
    expect(text()).toContain('too long or not plain text');
  });
});

describe('a text field', () => {
  it('takes every key while it has the focus, acting keys and pastes included', () => {
    const { store, press, acts, said, text } = open({ view: 'workers' });
    press('/', 'D', 'q', 'y', '1');
    store.paste('\x1b[31mX\nY');
    expect(text()).toContain('/Dqy1[31mX Y');
    expect([acts, said]).toEqual([[], []]);
    press('esc');
    expect(text()).toContain('▶ w-01');
  });

  it('filters while it is typed, keeps the last good one, and is called back', () => {
    const { press, text } = open({ view: 'workers' });
    press('/', 'w', '-', '1');
    expect(text()).toContain('workers(video) 3/12');
    press(' ', 'r', 'e', ':', '[');
    expect(text()).toContain('not a regular expression');
    expect(text()).toContain('workers(video) 3/12');
    press('backspace', 'backspace', 'backspace', 'backspace', 'enter');
    press('/');
    expect(text()).toMatch(/^ \/w-1/m);
    press('esc', 'esc');
    expect(text()).toContain('workers(video) 12');
  });

  it('leads anywhere from the palette', () => {
    const { press, text, store } = open();
    press(':');
    store.paste('jobs tenant-7/');
    press('enter');
    expect(text()).toMatch(/jobs\(video\) \d+\/812/);
    press(':', 'w', 'o', 'tab', 'enter');
    expect(text()).toContain('workers(video)');
    press(':');
    store.paste('theme mono');
    press('enter');
    expect(store.getFrame().join('')).not.toMatch(/\x1b\[3\dm/);
  });
});

describe('a key', () => {
  it('sorts, inverts, shows problems only', () => {
    const { press, text } = open({ view: 'workers' });
    press('i');
    expect(text()).toMatch(/▶ w-01/);
    press('g');
    expect(text()).toMatch(/▶ w-12/);
    press('!');
    expect(text()).toContain('workers(video) 2/12');
    press('!', 'o', 'o');
    expect(text()).toContain('sort GROUP');
  });

  it('copies, shows the command line, draws anew, suspends, reads now', () => {
    const { source, press, said, text } = open({ view: 'workers' });
    press('y', 'c');
    expect(text()).toContain('ponos worker show --pool=video w-01');
    press('y', 'ctrl-l', 'ctrl-z', 'r');
    expect(said).toEqual(['copy w-01', 'copy ponos worker show --pool=video w-01', 'redraw', 'suspend']);
    expect(source.refreshes).toBe(1);
  });

  it('shows a command line that looks where the dashboard looks', () => {
    const { press, said } = open({ view: 'workers', located: line => `${line} --redis redis://other` });
    press('c', 'y');
    expect(said).toEqual(['copy ponos worker show --pool=video w-01 --redis redis://other']);
  });

  it('goes to another pool', () => {
    const { press, text } = open({ view: 'workers' });
    press('tab');
    expect(text()).toContain('workers(billing)');
    press('shift-tab');
    expect(text()).toContain('workers(video)');
  });

  it('leads from a finding to its subject', () => {
    const { press, text } = open();
    press('G', 'enter');
    expect(text()).toContain('sinks(readings)');
    press('q', 'k', 'enter');
    expect(text()).toContain('jobs(w-03)');
  });

  it('quits from the top, from anywhere with ctrl-c, and from a dialog', () => {
    const { press, said } = open({ view: 'workers' });
    press('enter', 'q', 'q');
    expect(said).toEqual(['quit']);
    press('D', 'ctrl-c');
    expect(said).toEqual(['quit', 'quit']);
  });

  it('opens the help, which ends where it ends', () => {
    const { press, text } = open();
    press('?');
    expect(text()).toContain('MOVE');
    press('pagedown', 'pagedown', 'pagedown', 'pagedown');
    expect(text()).toContain('draw anew');
    press('esc');
    expect(text()).toContain('POOLS');
  });
});
