/** The whole screen as lines: exactly as many as there are rows, each exactly as wide as the screen. Pure. */
import { fitLines, type Line, overall } from '../paint/line.ts';
import { placeShown, type Ui } from '../state.ts';
import type { Area, Scene } from '../view.ts';
import { views } from '../views/index.ts';
import { commandBox, confirmBox, overlay } from './dialog.ts';
import { crumbLine, hintLine } from './footer.ts';
import { type HeaderFacts, headerLine, tabLine } from './header.ts';
import { helpLines } from './help.ts';

export interface Screen {
  columns: number;
  rows: number;
}

export interface FrameFacts extends HeaderFacts {
  /** Monotonic. */
  nowMs: number;
}

export const SMALLEST: Screen = { columns: 40, rows: 8 };
/** Below these many rows parts of the frame are left out. */
const WITH_TABS = 10;
const WITH_RULES = 16;

export function fits({ columns, rows }: Screen): boolean {
  return columns >= SMALLEST.columns && rows >= SMALLEST.rows;
}

/** What is left for the view. */
export function contentArea({ columns, rows }: Screen): Area {
  const frameRows = rows < WITH_TABS ? 2 : rows < WITH_RULES ? 4 : 6;
  return { width: columns, height: Math.max(1, rows - frameRows) };
}

export function drawFrame(ui: Ui, scene: Scene, facts: FrameFacts, screen: Screen): Line[] {
  const { columns, rows } = screen;
  if (!fits(screen)) return tooSmall(screen);
  const area = contentArea(screen);
  const rule: Line = [[scene.glyphs.rule.repeat(columns), 'muted']];
  const content = drawContent(ui, scene, facts, area);
  const hints = hintLine(ui, scene, facts.mayAct, columns);
  const header = headerLine(scene, facts, columns);
  if (rows < WITH_TABS) {
    // Without its own row, what is typed takes that of the keys.
    const isTyping = ui.mode.kind === 'filter' || ui.mode.kind === 'palette' || ui.mode.kind === 'prompt';
    return [header, ...content, isTyping ? crumbLine(ui, scene, facts.nowMs, columns) : hints];
  }
  const rules = rows < WITH_RULES ? [] : [rule];
  return [
    header,
    tabLine(ui.tab, columns),
    ...rules,
    ...content,
    ...rules,
    crumbLine(ui, scene, facts.nowMs, columns),
    hints,
  ];
}

function drawContent(ui: Ui, scene: Scene, facts: FrameFacts, area: Area): Line[] {
  const { mode } = ui;
  const place = placeShown(ui, scene.snapshot);
  if (mode.kind === 'help') {
    return fitLines(
      helpLines(place.at.view, facts.mayAct, scene.glyphs, area.width).slice(mode.offset),
      area.width,
      area.height,
    );
  }
  let lines = views[place.at.view].draw(scene, place, area);
  if (scene.snapshot.connection.state === 'STALE') lines = lines.map(dim);
  if (mode.kind === 'confirm') return overlay(lines, confirmBox(mode, scene.glyphs, area.width), area.width);
  if (mode.kind === 'command') return overlay(lines, commandBox(mode.command, scene.glyphs, area.width), area.width);
  return lines;
}

function dim(line: Line): Line {
  return line.length === 1 && line[0]?.[1] === 'selected' ? line : overall(line, 'muted');
}

function tooSmall({ columns, rows }: Screen): Line[] {
  const text = `too small (${columns}x${rows}), needs ${SMALLEST.columns}x${SMALLEST.rows}; q quits`;
  return fitLines([[[text]]], Math.max(1, columns), Math.max(1, rows));
}
