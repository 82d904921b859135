/** What a key does to the state. Pure: what has to happen outside is returned as effects. */
import { type Act, describeAct, type Offer } from './act.ts';
import { editField, fieldOf, typeInto } from './field.ts';
import { parseFilter } from './filter.ts';
import { helpLines } from './frame/help.ts';
import { type Command, commandFor } from './keymap.ts';
import type { Role } from './paint/theme.ts';
import { parseOrder, suggest } from './palette.ts';
import { type Mode, placeAt, placeShown, poolShown, push, stackShown, type Ui, withPlace, withStack } from './state.ts';
import { moveBy, moveTo, START } from './table/selection.ts';
import type { Area, Item, Scene, View } from './view.ts';
import { tabs, views } from './views/index.ts';

export type Effect =
  | { do: 'quit' | 'suspend' | 'redraw' | 'refresh' }
  | { do: 'pause'; paused: boolean }
  | { do: 'copy'; text: string }
  | { do: 'perform'; act: Act };

export interface Context {
  scene: Scene;
  /** What is left for the view. */
  area: Area;
  /** False when read-only: acting keys do not exist. */
  mayAct: boolean;
  /** False while the data is stale: acts are refused. */
  isLive: boolean;
  /** Monotonic. */
  nowMs: number;
  /** A command line that looks where the dashboard looks. */
  located(line: string): string;
}

export interface Step {
  ui: Ui;
  effects: readonly Effect[];
}

/** Keys this soon after a dialog opened were meant for what was there before. */
const TYPED_AHEAD_MS = 150;
const FLASH_MS = 6000;

export function press(ui: Ui, key: string, context: Context): Step {
  if (key === 'ctrl-c') return { ui, effects: [{ do: 'quit' }] };
  switch (ui.mode.kind) {
    case 'view':
      return pressInView(ui, key, context);
    case 'filter':
    case 'palette':
    case 'prompt':
      return pressInField(ui, ui.mode, key, context);
    case 'confirm':
      return pressInConfirm(ui, ui.mode, key, context);
    case 'command':
      return pressInCommand(ui, ui.mode, key, context);
    case 'help':
      return only(pressInHelp(ui, ui.mode, key, context));
  }
}

/** Text that came at once: it is only ever taken by a text field. */
export function paste(ui: Ui, text: string): Ui {
  const { mode } = ui;
  if (mode.kind !== 'filter' && mode.kind !== 'palette' && mode.kind !== 'prompt') return ui;
  return typed({ ...ui, mode: { ...mode, field: typeInto(mode.field, text) } });
}

export function flash(ui: Ui, text: string, role: Role, nowMs: number): Ui {
  return { ...ui, flash: { text, role, untilMs: nowMs + FLASH_MS } };
}

function only(ui: Ui): Step {
  return { ui, effects: [] };
}

function pressInView(ui: Ui, key: string, context: Context): Step {
  const place = placeShown(ui, context.scene.snapshot);
  const command = commandFor(key, place.at.view, context.mayAct);
  return command ? carryOut({ ...ui, flash: null }, command, context) : only(ui);
}

function carryOut(ui: Ui, command: Command, context: Context): Step {
  switch (command.do) {
    case 'move':
      return only(move(ui, command.by, context));
    case 'tab':
      return only(goToTab(ui, command.index));
    case 'pool':
      return only(stepPool(ui, command.step, context));
    case 'act':
      return only(beginAct(ui, command.key, context));
    case 'open':
      return only(open(ui, context));
    case 'tail': {
      const tail = selectedItem(ui, context)?.tail;
      return only(tail ? push(ui, tail) : flash(ui, 'only a stream has events to tail', 'muted', context.nowMs));
    }
    case 'back':
      return only(back(ui));
    case 'leave':
      return stackShown(ui).length > 1
        ? only(back(withPlace(ui, { filter: '', problemsOnly: false })))
        : { ui, effects: [{ do: 'quit' }] };
    case 'filter': {
      const { filter, cursor } = placeShown(ui, context.scene.snapshot);
      return only({ ...ui, mode: { kind: 'filter', field: fieldOf(filter), before: { filter, cursor } } });
    }
    case 'palette':
      return only({ ...ui, mode: { kind: 'palette', field: fieldOf('') } });
    case 'help':
      return only({ ...ui, mode: { kind: 'help', offset: 0 } });
    case 'sort':
    case 'invert-sort':
      return only(changeSort(ui, command.do, context));
    case 'problems': {
      const { problemsOnly } = placeShown(ui, context.scene.snapshot);
      return only(withPlace(ui, { problemsOnly: !problemsOnly }));
    }
    case 'pause':
      return { ui: { ...ui, paused: !ui.paused }, effects: [{ do: 'pause', paused: !ui.paused }] };
    case 'copy':
      return copy(ui, selectedItem(ui, context)?.name, context);
    case 'command': {
      const line =
        selectedItem(ui, context)?.command || viewOf(ui, context).command(placeShown(ui, context.scene.snapshot).at);
      return only({ ...ui, mode: { kind: 'command', command: context.located(line) } });
    }
    default:
      return { ui, effects: [{ do: command.do }] };
  }
}

function viewOf(ui: Ui, { scene }: Context): View {
  return views[placeShown(ui, scene.snapshot).at.view];
}

export function selectedItem(ui: Ui, { scene }: Pick<Context, 'scene'>): Item | undefined {
  const place = placeShown(ui, scene.snapshot);
  const listing = views[place.at.view].list(scene, place);
  return listing.ids === null ? undefined : listing.item(place.cursor.index);
}

function move(ui: Ui, by: Extract<Command, { do: 'move' }>['by'], context: Context): Ui {
  const { scene, area } = context;
  const place = placeShown(ui, scene.snapshot);
  const view = views[place.at.view];
  const page = view.pageRows(area);
  const delta = {
    up: -1,
    down: 1,
    'page-up': -page,
    'page-down': page,
    top: Number.MIN_SAFE_INTEGER,
    bottom: Number.MAX_SAFE_INTEGER,
  }[by];
  if (view.pageLength) {
    const last = Math.max(0, view.pageLength(scene, place, area) - area.height);
    const offset = Math.max(0, Math.min(last, place.cursor.offset + delta));
    return withPlace(ui, { cursor: { ...place.cursor, offset } });
  }
  const ids = view.list(scene, place).ids ?? [];
  const { cursor } = place;
  const moved =
    by === 'top' ? moveTo(cursor, 0, ids, page) : moveBy(cursor, by === 'bottom' ? ids.length : delta, ids, page);
  return withPlace(ui, { cursor: moved });
}

function goToTab(ui: Ui, index: number): Ui {
  // The key of the tab one is in leads back to its top.
  if (index === ui.tab) return withStack(ui, stackShown(ui).slice(0, 1));
  return { ...ui, tab: index };
}

function stepPool(ui: Ui, step: 1 | -1, { scene, nowMs }: Context): Ui {
  if (stackShown(ui).length > 1) return flash(ui, 'go back with esc to change the pool', 'muted', nowMs);
  const names = (scene.snapshot.pools ?? []).map(pool => pool.name);
  if (names.length < 2) return flash(ui, 'there is no other pool', 'muted', nowMs);
  const at = names.indexOf(poolShown(ui, scene.snapshot));
  return withPlace({ ...ui, pool: names[(at + step + names.length) % names.length] as string }, { cursor: START });
}

function open(ui: Ui, context: Context): Ui {
  const item = selectedItem(ui, context);
  if (!item?.open)
    return item ? flash(ui, `there is nothing to open in this ${item.noun}`, 'muted', context.nowMs) : ui;
  return push(ui, item.open);
}

/** Clears the filter first, then goes up. */
function back(ui: Ui): Ui {
  const stack = stackShown(ui);
  const place = stack.at(-1);
  if (place && (place.filter !== '' || place.problemsOnly)) return withPlace(ui, { filter: '', problemsOnly: false });
  return stack.length > 1 ? withStack(ui, stack.slice(0, -1)) : ui;
}

function changeSort(ui: Ui, change: 'sort' | 'invert-sort', context: Context): Ui {
  const place = placeShown(ui, context.scene.snapshot);
  const view = views[place.at.view];
  const present = place.sort ?? view.defaultSort;
  if (!present || view.sorts.length === 0) return ui;
  if (change === 'invert-sort') return withPlace(ui, { sort: { ...present, descending: !present.descending } });
  const next = view.sorts[(view.sorts.indexOf(present.column) + 1) % view.sorts.length] as string;
  // Names read upwards; of numbers the large ones matter.
  return withPlace(ui, { sort: { column: next, descending: next !== view.sorts[0] } });
}

function copy(ui: Ui, text: string | undefined, { nowMs }: Context): Step {
  if (text === undefined || text === '') return only(ui);
  return { ui: flash(ui, `copied: ${text}`, 'ok', nowMs), effects: [{ do: 'copy', text }] };
}

function beginAct(ui: Ui, key: string, context: Context): Ui {
  const offer: Offer | undefined = selectedItem(ui, context)?.offers.find(candidate => candidate.key === key);
  if (!offer) return ui;
  if (!context.isLive) return flash(ui, 'refused: the data is stale, Redis does not answer', 'bad', context.nowMs);
  if (offer.refused !== undefined) return flash(ui, offer.refused, 'warn', context.nowMs);
  const { begin } = offer;
  if ('act' in begin) return askFor(ui, begin.act, context);
  return { ...ui, mode: { kind: 'prompt', field: fieldOf(begin.initial), label: begin.prompt, make: begin.make } };
}

function askFor(ui: Ui, act: Act, { nowMs }: Context): Ui {
  return { ...ui, mode: { kind: 'confirm', act, text: describeAct(act), choice: 'cancel', openedAtMs: nowMs } };
}

type FieldMode = Extract<Mode, { kind: 'filter' | 'palette' | 'prompt' }>;

/** While a text is typed there are no other keys: a slip must not act. */
function pressInField(ui: Ui, mode: FieldMode, key: string, context: Context): Step {
  if (key === 'esc') return only(cancelField(ui, mode));
  if (key === 'enter') return submitField(ui, mode, context);
  if (key === 'tab' && mode.kind === 'palette') {
    const rest = suggest(mode.field.text, context.scene.snapshot);
    return only({ ...ui, mode: { ...mode, field: fieldOf(mode.field.text + rest) } });
  }
  const edited = editField(mode.field, key) ?? ([...key].length === 1 ? typeInto(mode.field, key) : mode.field);
  return only(typed({ ...ui, mode: { ...mode, field: edited } }));
}

/** A filter works while it is typed; one that is no filter (yet) leaves the last good one. */
function typed(ui: Ui): Ui {
  if (ui.mode.kind !== 'filter') return ui;
  const { text } = ui.mode.field;
  return parseFilter(text).error === null ? withPlace(ui, { filter: text }) : ui;
}

function cancelField(ui: Ui, mode: FieldMode): Ui {
  const closed: Ui = { ...ui, mode: { kind: 'view' } };
  return mode.kind === 'filter' ? withPlace(closed, mode.before) : closed;
}

function submitField(ui: Ui, mode: FieldMode, context: Context): Step {
  const closed: Ui = { ...ui, mode: { kind: 'view' } };
  if (mode.kind === 'prompt') return only(askFor(closed, mode.make(mode.field.text), context));
  if (mode.kind === 'palette') return order(closed, mode.field.text, context);
  const { error } = parseFilter(mode.field.text);
  return only(error === null ? closed : flash(ui, error, 'bad', context.nowMs));
}

function order(ui: Ui, text: string, context: Context): Step {
  if (text.trim() === '') return only(ui);
  const given = parseOrder(text, context.scene.snapshot);
  switch (given.do) {
    case 'view': {
      const there = withStack({ ...ui, tab: given.tab }, [
        placeAt({ view: (tabs[given.tab] as (typeof tabs)[number]).view }),
      ]);
      return only(withPlace(there, { filter: given.filter }));
    }
    case 'job':
      return only(push(ui, { view: 'job', pool: poolShown(ui, context.scene.snapshot), key: given.key }));
    case 'pool':
      return only({ ...ui, pool: given.name });
    case 'theme':
      return only({ ...ui, theme: given.name });
    case 'help':
      return only({ ...ui, mode: { kind: 'help', offset: 0 } });
    case 'quit':
      return { ui, effects: [{ do: 'quit' }] };
    case 'unknown':
      return only(flash(ui, given.reason, 'warn', context.nowMs));
  }
}

/** Cancel is where enter leads unless the person moves or says yes. */
function pressInConfirm(ui: Ui, mode: Extract<Mode, { kind: 'confirm' }>, key: string, context: Context): Step {
  if (context.nowMs - mode.openedAtMs < TYPED_AHEAD_MS) return only(ui);
  const closed: Ui = { ...ui, mode: { kind: 'view' } };
  if (key === 'esc' || key === 'n' || key === 'q')
    return only(flash(closed, 'nothing was done', 'muted', context.nowMs));
  if (['tab', 'shift-tab', 'left', 'right', 'h', 'l'].includes(key)) {
    return only({ ...ui, mode: { ...mode, choice: mode.choice === 'cancel' ? 'act' : 'cancel' } });
  }
  if (key !== 'y' && key !== 'enter') return only(ui);
  if (key === 'enter' && mode.choice === 'cancel')
    return only(flash(closed, 'nothing was done', 'muted', context.nowMs));
  if (!context.isLive)
    return only(flash(closed, 'refused: Redis does not answer; nothing was done', 'bad', context.nowMs));
  const doing = flash(closed, `${mode.text.verb.toLowerCase()} ...`, 'busy', context.nowMs);
  return { ui: doing, effects: [{ do: 'perform', act: mode.act }] };
}

function pressInCommand(ui: Ui, mode: Extract<Mode, { kind: 'command' }>, key: string, context: Context): Step {
  const closed: Ui = { ...ui, mode: { kind: 'view' } };
  if (key === 'y') return copy(closed, mode.command, context);
  return only(['esc', 'q', 'c', 'enter'].includes(key) ? closed : ui);
}

function pressInHelp(ui: Ui, mode: Extract<Mode, { kind: 'help' }>, key: string, context: Context): Ui {
  const { area, scene, mayAct } = context;
  const deltas: Record<string, number> = {
    up: -1,
    k: -1,
    down: 1,
    j: 1,
    pageup: -area.height,
    pagedown: area.height,
    ' ': area.height,
  };
  const delta = deltas[key];
  if (delta !== undefined) {
    const length = helpLines(placeShown(ui, scene.snapshot).at.view, mayAct, scene.glyphs, area.width).length;
    const offset = Math.max(0, Math.min(length - area.height, mode.offset + delta));
    return { ...ui, mode: { ...mode, offset } };
  }
  return ['esc', 'q', '?', 'enter'].includes(key) ? { ...ui, mode: { kind: 'view' } } : ui;
}
