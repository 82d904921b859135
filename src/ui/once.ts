import { headerLine } from './frame/header.ts';
import type { FleetSnapshot } from './model.ts';
import { asciiGlyphs, unicodeGlyphs } from './paint/glyphs.ts';
import { lineText, paintLine } from './paint/line.ts';
import { type ThemeName, themes } from './paint/theme.ts';
import { placeAt, poolShown, startUi } from './state.ts';
import type { Scene, ViewId } from './view.ts';
import { tabs, views } from './views/index.ts';

export interface OnceOptions {
  columns: number;
  rows: number;
  view?: ViewId | undefined;
  pool?: string | undefined;
  theme?: ThemeName | undefined;
  ascii?: boolean | undefined;
  /** False: no escape sequences at all. */
  color?: boolean | undefined;
  /** Wall time the ages are counted to. */
  nowMs: number;
}

/** One frame as text, for where there is no terminal: the view alone, without keys and without a selection. */
export function renderOnce(snapshot: FleetSnapshot, options: OnceOptions): string {
  const { columns, rows, view = 'overview', pool, theme = 'default', ascii = false, color = true, nowMs } = options;
  const scene: Scene = { snapshot, nowMs, glyphs: ascii ? asciiGlyphs : unicodeGlyphs, ascii };
  const isOfPool = tabs.some(tab => tab.view === view && tab.ofPool);
  const shown = poolShown(startUi({ pool: pool ?? null }), snapshot);
  const place = placeAt({ view, ...(isOfPool ? { pool: shown } : {}) });
  const header = headerLine(scene, { address: '', mayAct: false, paused: false }, columns);
  const lines = [header, [], ...views[view].draw(scene, place, { width: columns, height: Math.max(1, rows - 2) })];
  const texts = lines.map(line => (color ? paintLine(line, themes[theme]) : lineText(line)).trimEnd());
  while (texts.at(-1) === '') texts.pop();
  return `${texts.join('\n')}\n`;
}
