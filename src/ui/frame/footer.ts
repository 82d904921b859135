import type { Field } from '../field.ts';
import { parseFilter } from '../filter.ts';
import { bindingsIn } from '../keymap.ts';
import { fitLine, type Line, lineWidth, type Span, spread } from '../paint/line.ts';
import { suggest } from '../palette.ts';
import { placeShown, stackShown, type Ui, withPool } from '../state.ts';
import { cellText } from '../text/cell.ts';
import { takeWidthFromEnd, textWidth } from '../text/width.ts';
import { selectedItem } from '../update.ts';
import type { Scene } from '../view.ts';
import { views } from '../views/index.ts';
import { keyName } from './key-names.ts';

/** Where one is, or what one types; at the right what just happened, or what is wrong. */
export function crumbLine(ui: Ui, scene: Scene, nowMs: number, width: number): Line {
  const { glyphs } = scene;
  const typing = fieldSpans(ui, scene, width);
  if (typing) return fitLine(typing, width);
  const crumbs = stackShown(ui).map(place => {
    const { at } = withPool(place, ui, scene.snapshot);
    return cellText(views[at.view].crumb(at));
  });
  const left: Span[] = crumbs.flatMap((crumb, index): Span[] =>
    index === 0 ? [[` ${crumb}`]] : [[` ${glyphs.crumb} `, 'muted'], [crumb]],
  );
  const right = statusSpans(ui, scene, nowMs);
  if (lineWidth(left) + lineWidth(right) > width) return spread(left.slice(-1), right, width, glyphs.ellipsis);
  return spread(left, right, width, glyphs.ellipsis);
}

function statusSpans(ui: Ui, scene: Scene, nowMs: number): Span[] {
  const { snapshot } = scene;
  if (ui.flash && nowMs < ui.flash.untilMs) return [[`  ${cellText(ui.flash.text)} `, ui.flash.role]];
  const { connection } = snapshot;
  if (connection.error !== null) return [[`  ${cellText(connection.error)} `, 'bad']];
  const [problem] = snapshot.problems;
  if (problem) return [[`  cannot read ${cellText(problem[0])}: ${cellText(problem[1])} `, 'bad']];
  const note = selectedItem(ui, { scene })?.note;
  if (note !== undefined) return [[`  ${cellText(note)} `, 'warn']];
  const critical = snapshot.findings.filter(finding => finding.severity === 'critical').length;
  const warnings = snapshot.findings.length - critical;
  return [
    ...(critical > 0 ? ([[`  ${critical} critical`, 'bad']] as Span[]) : []),
    ...(warnings > 0 ? ([[`  ${warnings} warning${warnings === 1 ? '' : 's'}`, 'warn']] as Span[]) : []),
    [' '],
  ];
}

function fieldSpans(ui: Ui, scene: Scene, width: number): Span[] | undefined {
  const { mode } = ui;
  if (mode.kind === 'filter') {
    const { error } = parseFilter(mode.field.text);
    return [
      [' /', 'key'],
      ...caret(mode.field, width - 30),
      ...(error === null ? [] : [[`   ${error}`, 'bad'] as Span]),
    ];
  }
  if (mode.kind === 'palette') {
    const ghost = suggest(mode.field.text, scene.snapshot);
    return [[' :', 'key'], ...caret(mode.field, width - 30, ghost)];
  }
  if (mode.kind !== 'prompt') return undefined;
  const label = ` ${cellText(mode.label)}: `;
  return [[label, 'key'], ...caret(mode.field, width - textWidth(label) - 2)];
}

/** The text around the caret, as much as fits. */
function caret(field: Field, width: number, ghost = ''): Span[] {
  const characters = [...field.text];
  const before = takeWidthFromEnd(cellText(characters.slice(0, field.at).join('')), Math.max(4, width - 8));
  const rest = [...characters.slice(field.at), ...cellText(ghost)];
  const after = cellText(rest.slice(1).join(''));
  return [[before], [cellText(rest[0] ?? ' '), 'selected'], [after, ghost === '' ? 'plain' : 'muted']];
}

/** The keys that exist here, as many as fit; help and quit always. */
export function hintLine(ui: Ui, scene: Scene, mayAct: boolean, width: number): Line {
  const { glyphs } = scene;
  const hints = hintsOf(ui, scene, mayAct);
  const spans: Span[] = [];
  const last = hints.slice(-2);
  const room = width - lineWidth(last.flatMap(([key, word]): Span[] => [[` ${key} ${word} `]]));
  for (const [key, word] of hints.slice(0, -2)) {
    const next: Span[] = [[' '], [key, 'key'], [` ${word} `, 'muted']];
    if (lineWidth([...spans, ...next]) > room) break;
    spans.push(...next);
  }
  for (const [key, word] of last) spans.push([' '], [key, 'key'], [` ${word} `, 'muted']);
  return fitLine(spans, width, glyphs.ellipsis);
}

function hintsOf(ui: Ui, scene: Scene, mayAct: boolean): (readonly [string, string])[] {
  const { glyphs } = scene;
  switch (ui.mode.kind) {
    case 'filter':
      return [
        [glyphs.enter, 'keep the filter'],
        ['esc', 'as before'],
      ];
    case 'palette':
      return [
        ['tab', 'complete'],
        [glyphs.enter, 'go'],
        ['esc', 'close'],
      ];
    case 'prompt':
      return [
        [glyphs.enter, 'go on; nothing is done yet'],
        ['esc', 'cancel'],
      ];
    case 'confirm':
      return [
        ['y', 'yes'],
        ['tab', 'choose'],
        [glyphs.enter, 'take the choice'],
        ['esc', 'cancel'],
      ];
    case 'command':
      return [
        ['y', 'copy'],
        ['esc', 'close'],
      ];
    case 'help':
      return [
        [glyphs.upDown, 'scroll'],
        ['esc', 'close'],
      ];
    case 'view':
      return viewHints(ui, scene, mayAct);
  }
}

function viewHints(ui: Ui, scene: Scene, mayAct: boolean): (readonly [string, string])[] {
  const { glyphs } = scene;
  const place = placeShown(ui, scene.snapshot);
  const canGoBack = stackShown(ui).length > 1 || place.filter !== '' || place.problemsOnly;
  const poolCount = scene.snapshot.pools?.length ?? 0;
  const shown = bindingsIn(place.at.view, mayAct).filter(
    ({ footer, command }) =>
      footer !== undefined &&
      (command.do !== 'back' || canGoBack) &&
      (command.do !== 'pool' || (poolCount > 1 && stackShown(ui).length === 1)),
  );
  const hints = shown.map(({ keys, footer }) => [keyName(keys[0] as string, glyphs), footer as string] as const);
  return [[glyphs.upDown, 'move'], ...hints];
}
