import { bindingsIn, type Group } from '../keymap.ts';
import type { Glyphs } from '../paint/glyphs.ts';
import { fitLine, type Line } from '../paint/line.ts';
import type { ViewId } from '../view.ts';
import { tabs } from '../views/index.ts';
import { keyName } from './key-names.ts';

const GROUPS: readonly Group[] = ['MOVE', 'LOOK', 'ACT', 'GENERAL'];
const KEYS_WIDTH = 18;
const TWO_COLUMNS_FROM = 96;

/** Made from the key map: what is not said here does not exist. */
export function helpLines(view: ViewId, mayAct: boolean, glyphs: Glyphs, width: number): Line[] {
  const blocks = GROUPS.map(group => block(group, view, mayAct, glyphs)).filter(lines => lines.length > 1);
  const head: Line[] = [
    [
      [` HELP  keys in ${view}`, 'strong'],
      ['   lower case looks, UPPER CASE acts and asks first', 'muted'],
    ],
    [],
  ];
  if (width < TWO_COLUMNS_FROM) return [...head, ...blocks.flatMap(lines => [...lines, []])];
  const half = Math.floor(width / 2);
  const left = blocks.filter((_, index) => index % 2 === 0).flatMap(lines => [...lines, []]);
  const right = blocks.filter((_, index) => index % 2 === 1).flatMap(lines => [...lines, []]);
  const rows = Math.max(left.length, right.length);
  return [
    ...head,
    ...Array.from({ length: rows }, (_, index): Line => [...fitLine(left[index] ?? [], half), ...(right[index] ?? [])]),
  ];
}

function block(group: Group, view: ViewId, mayAct: boolean, glyphs: Glyphs): Line[] {
  const rows = bindingsIn(view, mayAct)
    .filter(binding => binding.group === group && binding.command.do !== 'tab')
    .map((binding): Line => {
      const keys = binding.keys.map(key => keyName(key, glyphs)).join(' ');
      return [['  '], [keys.padEnd(KEYS_WIDTH), 'key'], [` ${binding.help}`]];
    });
  if (group === 'GENERAL') {
    rows.unshift([
      ['  '],
      [`1-${tabs.length}`.padEnd(KEYS_WIDTH), 'key'],
      [` ${tabs.map(tab => tab.view).join(', ')}`],
    ]);
  }
  return [[[` ${group}`, 'heading']], ...rows];
}
