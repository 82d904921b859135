import { describe, expect, it } from 'vitest';
import type { FleetSnapshot } from '../../src/engine/index.ts';
import { EMPTY_FLEET } from '../../src/engine/inspect/fleet.ts';
import { App } from '../../src/ui/app.tsx';
import { DashboardStore } from '../../src/ui/dashboard-store.ts';
import { drawFrame, type Screen } from '../../src/ui/frame/frame.ts';
import { renderOnce } from '../../src/ui/once.ts';
import { asciiGlyphs, unicodeGlyphs } from '../../src/ui/paint/glyphs.ts';
import { lineText, lineWidth, paintLine } from '../../src/ui/paint/line.ts';
import { roles, themeNames, themes } from '../../src/ui/paint/theme.ts';
import { push, startUi, type Ui } from '../../src/ui/state.ts';
import type { Location, Scene } from '../../src/ui/view.ts';
import { tabs } from '../../src/ui/views/index.ts';
import { until } from '../support/until.ts';
import { SettableSource } from './fake-source.ts';
import { fleet, jobRecord, jobsOf, NOW_MS, pool, stream, worker } from './fixtures.ts';
import { hostile } from './hostile.ts';
import { renderAt } from './render-at.ts';

const sizes: Screen[] = [
  { columns: 40, rows: 8 },
  { columns: 60, rows: 15 },
  { columns: 80, rows: 24 },
  { columns: 120, rows: 40 },
  { columns: 200, rows: 60 },
];

const deeper: Location[] = [
  { view: 'job', pool: 'video', key: 'tenant-0/transcode-00000' },
  { view: 'sinks', stream: 'readings' },
  { view: 'pending', stream: 'readings', sink: 'fold' },
  { view: 'tail', stream: 'readings' },
  { view: 'entries', map: 'totals' },
  { view: 'value', map: 'totals', key: 'cpu0' },
  { view: 'value', map: 'totals', key: 'raw' },
];

function everyPlace(): Ui[] {
  const tops = tabs.map((_, tab) => ({ ...startUi({ pool: 'video' }), tab }));
  return [...tops, ...deeper.map(at => push(startUi({ pool: 'video' }), at))];
}

function scene(snapshot: FleetSnapshot, ascii = false): Scene {
  return { snapshot, nowMs: NOW_MS, glyphs: ascii ? asciiGlyphs : unicodeGlyphs, ascii };
}

const facts = { address: 'redis://127.0.0.1:6379', mayAct: true, paused: false, nowMs: 0 };

function frameText(ui: Ui, snapshot: FleetSnapshot, screen: Screen, ascii = false): string {
  return drawFrame(ui, scene(snapshot, ascii), facts, screen)
    .map(line => lineText(line).trimEnd())
    .join('\n');
}

/** The clock and the ledger show local time. */
function withoutTimes(text: string): string {
  return text.replace(/\b\d\d:\d\d:\d\d\b/g, 'hh:mm:ss');
}

describe('a frame', () => {
  it('is exactly as large as the screen, in every view and size, full, empty, stale and hostile', () => {
    const stale: FleetSnapshot = {
      ...fleet,
      connection: { ...fleet.connection, state: 'STALE', error: 'gone', attempts: 3 },
    };
    for (const snapshot of [fleet, EMPTY_FLEET, stale, hostileFleet()]) {
      for (const screen of sizes) {
        for (const ui of everyPlace()) {
          for (const mode of [
            ui.mode,
            { kind: 'help', offset: 0 } as const,
            { kind: 'command', command: 'ponos x' } as const,
          ]) {
            const lines = drawFrame({ ...ui, mode }, scene(snapshot), facts, screen);
            expect(lines).toHaveLength(screen.rows);
            for (const line of lines) expect(lineWidth(line), lineText(line)).toBe(screen.columns);
          }
        }
      }
    }
  });

  it('is all ASCII when asked', () => {
    for (const ui of everyPlace())
      expect(frameText(ui, fleet, { columns: 120, rows: 40 }, true)).toMatch(/^[\x20-\x7e\n]*$/);
  });

  it('says when the terminal is too small, and how large it has to be', () => {
    const lines = drawFrame(startUi(), scene(fleet), facts, { columns: 39, rows: 7 }).map(lineText);
    expect(lines[0]).toMatch(/too small \(39x7\), needs 40x8/);
    expect(lines).toHaveLength(7);
  });

  it.each(sizes.slice(1, 4))('shows the overview at $columns x $rows', async screen => {
    const text = frameText(startUi({ pool: 'video' }), fleet, screen);
    await expect(withoutTimes(text)).toMatchFileSnapshot(`frames/overview-${screen.columns}x${screen.rows}.txt`);
  });

  it.each(sizes.slice(1, 4))(
    'keeps every head of the overview whole when rows are left out at $columns x $rows',
    screen => {
      const many: FleetSnapshot = {
        ...fleet,
        pools: Array.from({ length: 40 }, (_, n) => pool(`pool-${n}`)),
        streams: Array.from({ length: 40 }, (_, n) => stream(`stream-${n}`)),
      };
      const lines = frameText(startUi(), many, screen).split('\n');
      const heads = [lines.find(line => line.includes('POOLS')), lines.find(line => line.includes('STREAMS'))];
      expect(heads[0]).toMatch(/POOLS +\+\d+.* STATE/);
      expect(heads[1]).toMatch(/STREAMS +\+\d+/);
      for (const head of heads) expect(head).not.toContain('…');
    },
  );

  it.each(['nodes', 'workers', 'jobs', 'streams', 'maps', 'events'] as const)('shows %s at 80 x 24', async view => {
    const text = frameText(startUi({ pool: 'video', view }), fleet, { columns: 80, rows: 24 });
    await expect(withoutTimes(text)).toMatchFileSnapshot(`frames/${view}-80x24.txt`);
  });

  it('keeps the data of a lost connection and says how old it is', () => {
    const lost: FleetSnapshot = {
      ...fleet,
      connection: {
        state: 'STALE',
        error: 'Redis does not answer',
        attempts: 2,
        readAtMs: NOW_MS - 12_000,
        everyMs: 1000,
      },
    };
    const text = frameText(startUi(), lost, { columns: 120, rows: 40 });
    expect(text).toContain('STALE 12s');
    expect(text).toContain('Redis does not answer');
    expect(text).toContain('DEGRADED');
  });

  it('says that data is old even while nothing has failed yet', () => {
    const hung = { ...fleet, connection: { ...fleet.connection, readAtMs: NOW_MS - 9000 } };
    expect(frameText(startUi(), hung, { columns: 80, rows: 24 })).toContain('OLD 9s');
  });

  it('never shows a lag that Redis does not know as zero', () => {
    const text = frameText(startUi({ view: 'streams' }), fleet, { columns: 120, rows: 40 });
    expect(text).toMatch(/orders .* \? /);
    expect(text).toMatch(/audit .* ~45 /);
  });

  it('marks jobs whose worker is gone or stale', () => {
    const jobs = {
      ...jobsOf(3),
      keys: [
        { key: 'lost', worker: 'nobody' },
        { key: 'held', worker: 'w-03' },
      ],
    } as FleetSnapshot['jobs'];
    const text = frameText(startUi({ view: 'jobs', pool: 'video' }), { ...fleet, jobs }, { columns: 100, rows: 24 });
    expect(text).toMatch(/lost\s+. ORPHAN/);
    expect(text).toMatch(/held\s+. STALE/);
  });

  it('draws one bad view as broken and leaves the rest alone', () => {
    const broken = { ...fleet, maps: [null] } as unknown as FleetSnapshot;
    const text = frameText(startUi({ view: 'maps' }), broken, { columns: 80, rows: 24 });
    expect(text).toContain('this view cannot be drawn');
    expect(text).toContain('2 critical');
  });

  it('takes about as long with ten thousand jobs as with a hundred, once they are sorted', () => {
    const drawn = (count: number) => {
      const snapshot = { ...fleet, jobs: jobsOf(count) };
      const ui = startUi({ view: 'jobs', pool: 'video' });
      const once = () => {
        const start = performance.now();
        for (let turn = 0; turn < 5; turn++) drawFrame(ui, scene(snapshot), facts, { columns: 120, rows: 40 });
        return performance.now() - start;
      };
      once();
      return Array.from({ length: 15 }, once).sort((a, b) => a - b)[7] as number;
    };
    expect(drawn(10_000) / drawn(100)).toBeLessThan(4);
  });
});

describe('a hostile text', () => {
  it('never reaches the terminal, wherever it stands', () => {
    for (const ui of everyPlace()) {
      const lines = drawFrame(ui, scene(hostileFleet()), facts, { columns: 120, rows: 60 });
      for (const line of lines) expect(lineText(line)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u);
    }
  });
});

/** The fixture with its names, keys and texts made hostile. */
function hostileFleet(): FleetSnapshot {
  const evil = hostile.join('');
  return {
    ...fleet,
    server: {
      ...(fleet.server as NonNullable<FleetSnapshot['server']>),
      version: evil,
      evictionPolicy: evil,
      address: evil,
    },
    pools: [pool('video'), ...hostile.map(text => pool(text))],
    streams: hostile.map(text => stream(text)),
    maps: hostile.map(name => ({
      name,
      broken: null,
      keyCount: 1,
      revision: 1,
      generation: evil,
      sizeBytes: 1,
      replicaCount: 0,
      expiresAtMs: null,
    })),
    workers: new Map([
      ['video', hostile.map(text => worker(text, { group: evil, host: evil, version: evil, node: evil }))],
    ]),
    nodes: new Map([['video', []]]),
    jobs: {
      pool: 'video',
      keys: hostile.map(key => ({ key, worker: evil })),
      records: new Map(hostile.map(key => [key, jobRecord(key, { error: evil, group: evil })])),
      sinceMs: new Map(),
    },
    entries: {
      map: 'totals',
      truncated: false,
      rows: [
        ...hostile.map(key => ({ key, value: { encoding: 'utf8' as const, data: evil, sizeBytes: 9 } })),
        { key: 'cpu0', value: { encoding: 'utf8', data: `[${JSON.stringify(evil)}]`, sizeBytes: 9 } },
      ],
    },
    detail: {
      kind: 'job',
      pool: 'video',
      key: 'tenant-0/transcode-00000',
      value: {
        ...jobRecord('x', { error: evil }),
        payload: { encoding: 'utf8', data: evil, sizeBytes: 9 },
        history: [],
      },
    },
    events: {
      pool: 'video',
      rows: hostile.map((text, at) => ({
        id: `${at}-0`,
        atMs: NOW_MS,
        pool: 'video',
        type: text,
        key: evil,
        worker: evil,
        token: 1,
        detail: evil,
      })),
    },
    findings: hostile.map(name => ({
      severity: 'warning',
      code: 'X',
      subject: { kind: 'job', name, pool: evil },
      message: evil,
      command: evil,
    })),
    problems: new Map([[evil, evil]]),
  };
}

describe('a theme', () => {
  it("gives every meaning a look, of the terminal's own colours", () => {
    for (const name of themeNames) {
      for (const role of roles) for (const code of themes[name][role]) expect(code).toBeLessThan(108);
    }
  });

  it('has no colour when it is mono', () => {
    for (const role of roles) for (const code of themes.mono[role]) expect(code).toBeLessThan(30);
    expect(paintLine([['x', 'selected']], themes.mono)).toBe('\x1b[7mx\x1b[0m');
  });
});

describe('one frame without a terminal', () => {
  it('is the view alone, without keys, selection or trailing blanks', () => {
    const text = renderOnce(fleet, { columns: 80, rows: 24, nowMs: NOW_MS, color: false });
    expect(text).toContain('DEGRADED');
    expect(text).not.toMatch(/quit|▶|\x1b| \n/);
    expect(renderOnce(fleet, { columns: 80, rows: 24, nowMs: NOW_MS, view: 'workers', pool: 'video' })).toContain(
      'w-12',
    );
  });
});

describe('the dashboard on a terminal', () => {
  async function open(columns: number, rows: number, snapshot = fleet) {
    const source = new SettableSource(snapshot);
    const store = new DashboardStore(
      source,
      undefined,
      { columns, rows },
      {},
      { wallMs: () => NOW_MS, monotonicMs: () => performance.now() },
    );
    const screen = renderAt(columns, rows, stdout => {
      stdout.on('resize', () => store.resize({ columns: stdout.columns, rows: stdout.rows }));
      return <App store={store} />;
    });
    await until(() => screen.isRaw, 'the keyboard to be read');
    return { source, store, screen };
  }

  it('draws row for row what the frame says', async () => {
    const { store, screen } = await open(80, 24);
    const expected = store.getFrame().map(row => row.replace(/\x1b\[[\d;]*m/g, '').trimEnd());
    expect(screen.rows().map(row => row.trimEnd())).toEqual(expected);
    screen.unmount();
  });

  it('follows the keys, escape sequences of keys included', async () => {
    const { screen } = await open(80, 24);
    screen.type('3');
    await until(() => screen.rows().some(row => row.includes('workers(')), 'the workers');
    screen.type('\x1b[B');
    screen.type('/w-1');
    await until(() => screen.rows().some(row => row.includes('/w-1')), 'the filter');
    screen.type('\x1b');
    await until(() => !screen.rows().some(row => row.includes('/w-1')), 'the filter to be gone');
    expect(screen.rows()[3]).toContain('workers(billing) 1');
    screen.unmount();
  });

  it('fits after every step of a storm of sizes', async () => {
    const { screen } = await open(120, 40);
    for (const [columns, rows] of [
      [80, 24],
      [60, 15],
      [40, 8],
      [30, 5],
      [200, 60],
      [80, 24],
    ] as const) {
      screen.resize(columns, rows);
      await until(() => screen.rows().length === rows, `a frame of ${rows} rows`);
      for (const row of screen.rows()) expect([...row].length).toBeLessThanOrEqual(columns);
    }
    expect(screen.rows().at(-1)).toContain('q quit');
    screen.unmount();
  });
});
