import { bindingsIn, type Group } from '../keymap.ts';
import type { Glyphs } from '../paint/glyphs.ts';
import { fitLine, type Line } from '../paint/line.ts';
import { textWidth } from '../text/width.ts';
import type { ViewId } from '../view.ts';
import { tabs } from '../views/index.ts';
import { keyName } from './key-names.ts';

const GROUPS: readonly Group[] = ['MOVE', 'LOOK', 'ACT', 'GENERAL'];
const RULE = 'lower case looks, UPPER CASE acts and asks first';
const KEYS_WIDTH = 18;
const TWO_COLUMNS_FROM = 96;

/** Made from the key map: what is not said here does not exist. */
export function helpLines(view: ViewId, mayAct: boolean, glyphs: Glyphs, width: number): Line[] {
  const isWide = width >= TWO_COLUMNS_FROM;
  const half = isWide ? Math.floor(width / 2) : width;
  const blocks = GROUPS.map(group => block(group, view, mayAct, glyphs, half)).filter(lines => lines.length > 1);
  const head = [...headLines(view, width), []];
  if (!isWide) return [...head, ...blocks.flatMap(lines => [...lines, []])];
  const left = blocks.filter((_, index) => index % 2 === 0).flatMap(lines => [...lines, []]);
  const right = blocks.filter((_, index) => index % 2 === 1).flatMap(lines => [...lines, []]);
  const rows = Math.max(left.length, right.length);
  return [
    ...head,
    ...Array.from({ length: rows }, (_, index): Line => [...fitLine(left[index] ?? [], half), ...(right[index] ?? [])]),
  ];
}

function headLines(view: ViewId, width: number): Line[] {
  const title = ` HELP  keys in ${view}`;
  if (textWidth(title) + 3 + textWidth(RULE) <= width) {
    return [
      [
        [title, 'strong'],
        [`   ${RULE}`, 'muted'],
      ],
    ];
  }
  return [[[title, 'strong']], ...wrapWords(RULE, width - 2).map((text): Line => [[` ${text}`, 'muted']])];
}

function block(group: Group, view: ViewId, mayAct: boolean, glyphs: Glyphs, width: number): Line[] {
  const bindings = bindingsIn(view, mayAct).filter(binding => binding.group === group && binding.command.do !== 'tab');
  const rows = bindings.flatMap(({ keys, help }) =>
    helpRow(keys.map(key => keyName(key, glyphs)).join(' '), help, width),
  );
  if (group === 'GENERAL') rows.unshift(...helpRow(`1-${tabs.length}`, tabs.map(tab => tab.view).join(', '), width));
  return [[[` ${group}`, 'heading']], ...rows];
}

/** What does not fit beside the keys goes on below itself. */
function helpRow(keys: string, help: string, width: number): Line[] {
  return wrapWords(help, width - KEYS_WIDTH - 4).map(
    (text, index): Line => [['  '], [(index === 0 ? keys : '').padEnd(KEYS_WIDTH), 'key'], [` ${text}`]],
  );
}

function wrapWords(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const line = lines.at(-1);
    if (line !== undefined && textWidth(line) + 1 + textWidth(word) <= width)
      lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}
