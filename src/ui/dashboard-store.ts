/**
 * The dashboard without its terminal: holds what the person did, follows the source, and gives the frame to show. A key
 * shows at once; data is gathered and shown at most four times a second. What is on screen is told to the source.
 */
import type { Act, ActOf } from './act.ts';
import { contentArea, drawFrame, fits, type Screen } from './frame/frame.ts';
import type { FleetFocus, FleetSnapshot } from './model.ts';
import { asciiGlyphs, unicodeGlyphs } from './paint/glyphs.ts';
import { fitLines, paintLine } from './paint/line.ts';
import { type ThemeName, themes } from './paint/theme.ts';
import type { FleetActions, FleetSource, TerminalAccess } from './source.ts';
import { placeShown, startUi, type Ui, withPlace } from './state.ts';
import { follow } from './table/selection.ts';
import { cellText } from './text/cell.ts';
import { type Context, type Effect, flash, paste, press } from './update.ts';
import type { Scene, ViewId } from './view.ts';
import { views } from './views/index.ts';

export interface DashboardOptions {
  view?: ViewId | undefined;
  pool?: string | undefined;
  theme?: ThemeName | undefined;
  ascii?: boolean | undefined;
  /** Shown until Redis has said who it is. */
  address?: string | undefined;
  /** Makes a command line look where the dashboard looks. */
  located?: ((line: string) => string) | undefined;
}

export interface Now {
  wallMs(): number;
  monotonicMs(): number;
}

const DATA_EVERY_MS = 250;
/** Ages tick even when nothing else happens. */
const TICK_MS = 1000;
/** More characters at once are no typing. */
const MOST_TYPED = 16;

export class DashboardStore {
  readonly #source: FleetSource;
  readonly #actions: FleetActions | undefined;
  readonly #options: DashboardOptions;
  readonly #now: Now;
  readonly #listeners = new Set<() => void>();
  readonly #underWay = new Set<Promise<void>>();
  #terminal: TerminalAccess | undefined;
  #ui: Ui;
  #snapshot: FleetSnapshot;
  #screen: Screen;
  #frame: readonly string[] = [];
  #focus = '';
  #shownMs = Number.NEGATIVE_INFINITY;
  #later: NodeJS.Timeout | undefined;
  #tick: NodeJS.Timeout | undefined;
  #off: (() => void) | undefined;

  /** Without actions it is read-only. */
  constructor(
    source: FleetSource,
    actions: FleetActions | undefined,
    screen: Screen,
    options: DashboardOptions = {},
    now: Now = { wallMs: () => Date.now(), monotonicMs: () => performance.now() },
  ) {
    this.#source = source;
    this.#actions = actions;
    this.#options = options;
    this.#now = now;
    this.#screen = screen;
    this.#snapshot = source.getSnapshot();
    this.#ui = startUi({
      ...(options.view ? { view: options.view } : {}),
      pool: options.pool ?? null,
      theme: options.theme ?? 'default',
    });
    this.#show();
  }

  start(): void {
    if (this.#off) return;
    this.#off = this.#source.subscribe(() => this.#onData());
    this.#tick = setInterval(() => this.#show(), TICK_MS);
    this.#onData();
  }

  stop(): void {
    this.#off?.();
    this.#off = undefined;
    clearInterval(this.#tick);
    clearTimeout(this.#later);
    this.#later = undefined;
  }

  attach(terminal: TerminalAccess): void {
    this.#terminal = terminal;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** The screen, one painted text per row; the same object until something changed. */
  readonly getFrame = (): readonly string[] => this.#frame;

  get ui(): Ui {
    return this.#ui;
  }

  get screen(): Screen {
    return this.#screen;
  }

  resize(screen: Screen): void {
    if (screen.columns === this.#screen.columns && screen.rows === this.#screen.rows) return;
    this.#screen = screen;
    this.#show();
  }

  /** The presses of one piece of input. Keys that act count only when pressed alone. */
  press(keys: readonly string[]): void {
    this.#source.attend();
    const isTyping = ['filter', 'palette', 'prompt'].includes(this.#ui.mode.kind);
    if (keys.length > 1 && isTyping && keys.every(key => [...key].length === 1)) this.paste(keys.join(''));
    else if (keys.length <= MOST_TYPED) this.#pressEach(keys);
  }

  #pressEach(keys: readonly string[]): void {
    for (const key of keys) {
      if (keys.length > 1 && this.#ui.mode.kind === 'view' && /^[A-Z]$/.test(key) && key !== 'G') continue;
      const step = press(this.#ui, key, this.#context());
      this.#ui = step.ui;
      this.#settle(false);
      for (const effect of step.effects) this.#carryOut(effect);
    }
    this.#show();
  }

  paste(text: string): void {
    this.#ui = paste(this.#ui, text);
    this.#settle(false);
    this.#show();
  }

  /** Resolves when acts under way have ended. */
  async idle(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  #context(): Context {
    return {
      scene: this.#scene(),
      area: contentArea(this.#screen),
      mayAct: this.#actions !== undefined,
      isLive: this.#source.getSnapshot().connection.state === 'LIVE',
      nowMs: this.#now.monotonicMs(),
      located: this.#options.located ?? (line => line),
    };
  }

  #scene(): Scene {
    const ascii = this.#options.ascii ?? false;
    return { snapshot: this.#snapshot, nowMs: this.#now.wallMs(), glyphs: ascii ? asciiGlyphs : unicodeGlyphs, ascii };
  }

  #onData(): void {
    if (this.#later) return;
    const waitMs = this.#shownMs + DATA_EVERY_MS - this.#now.monotonicMs();
    if (waitMs <= 0) this.#takeData();
    else {
      this.#later = setTimeout(() => {
        this.#later = undefined;
        this.#takeData();
      }, waitMs);
    }
  }

  /** While paused the data stands still, but not the news that Redis is away. */
  #takeData(): void {
    const fresh = this.#source.getSnapshot();
    if (!this.#ui.paused) this.#snapshot = fresh;
    else if (fresh.connection.state !== this.#snapshot.connection.state) {
      this.#snapshot = { ...this.#snapshot, connection: fresh.connection };
    }
    this.#shownMs = this.#now.monotonicMs();
    this.#settle(true);
    this.#show();
  }

  /** Puts the selection where its row is now. `isNews`: the data changed, not what the person asked to see. */
  #settle(isNews: boolean): void {
    const scene = this.#scene();
    const place = placeShown(this.#ui, scene.snapshot);
    const view = views[place.at.view];
    if (view.pageLength) return;
    const { ids } = view.list(scene, place);
    if (ids === null) return;
    const { cursor, gone } = follow(place.cursor, ids, view.pageRows(contentArea(this.#screen)));
    this.#ui = withPlace(this.#ui, { cursor });
    if (gone !== null && isNews && this.#ui.mode.kind === 'view' && !place.at.view.startsWith('overview')) {
      this.#ui = flash(this.#ui, `${gone} is gone`, 'muted', this.#now.monotonicMs());
    }
  }

  #show(): void {
    const scene = this.#scene();
    this.#settle(false);
    this.#tellFocus(scene);
    const facts = {
      address: this.#options.address ?? '',
      mayAct: this.#actions !== undefined,
      paused: this.#ui.paused,
      nowMs: this.#now.monotonicMs(),
    };
    const theme = themes[this.#ui.theme];
    try {
      this.#frame = drawFrame(this.#ui, scene, facts, this.#screen).map(line => paintLine(line, theme));
    } catch (error) {
      // A frame that cannot be drawn must not take the terminal with it; the next one may be drawn again.
      const reason = cellText(`cannot draw: ${error instanceof Error ? error.message : String(error)}`);
      const { columns, rows } = this.#screen;
      this.#frame = fitLines([[[reason, 'bad']]], columns, rows).map(line => paintLine(line, theme));
    }
    for (const listener of [...this.#listeners]) listener();
  }

  #tellFocus(scene: Scene): void {
    if (!fits(this.#screen)) return;
    const place = placeShown(this.#ui, scene.snapshot);
    const view = views[place.at.view];
    const { offset } = place.cursor;
    const ids = view.list(scene, place).ids ?? [];
    const focus: FleetFocus = view.focus(place, ids.slice(offset, offset + view.pageRows(contentArea(this.#screen))));
    const text = JSON.stringify(focus);
    if (text === this.#focus) return;
    this.#focus = text;
    this.#source.setFocus(focus);
  }

  #carryOut(effect: Effect): void {
    switch (effect.do) {
      case 'quit':
        this.#terminal?.quit();
        return;
      case 'suspend':
        this.#terminal?.suspend();
        return;
      case 'redraw':
        this.#terminal?.redraw();
        return;
      case 'refresh':
        this.#source.refresh();
        return;
      case 'copy':
        this.#terminal?.copy(effect.text);
        return;
      case 'pause':
        this.#source.setPaused(effect.paused);
        if (!effect.paused) this.#takeData();
        return;
      case 'perform':
        this.#perform(effect.act);
        return;
    }
  }

  #perform(act: Act): void {
    if (!this.#actions) return;
    const doing = performAct(this.#actions, act).then(
      said => this.#say(said, 'ok'),
      (error: unknown) => this.#say(error instanceof Error ? error.message : String(error), 'bad'),
    );
    this.#underWay.add(doing);
    doing.finally(() => this.#underWay.delete(doing)).catch(() => {});
  }

  #say(text: string, role: 'ok' | 'bad'): void {
    this.#ui = flash(this.#ui, text, role, this.#now.monotonicMs());
    this.#source.refresh();
    this.#show();
  }
}

async function performAct<Kind extends Act['kind']>(actions: FleetActions, act: ActOf<Kind>): Promise<string> {
  const perform = actions[act.kind] as (act: ActOf<Kind>) => Promise<string>;
  return await perform(act);
}
