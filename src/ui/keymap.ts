/**
 * Which key does what, as data: the footer, the help and what read-only leaves out are derived from it. Lower case looks,
 * UPPER CASE acts.
 */
import type { ViewId } from './view.ts';

export type Command =
  | { do: 'move'; by: 'up' | 'down' | 'page-up' | 'page-down' | 'top' | 'bottom' }
  | { do: 'tab'; index: number }
  | { do: 'pool'; step: 1 | -1 }
  | { do: 'act'; key: string }
  | {
      do:
        | 'open'
        | 'tail'
        | 'back'
        | 'quit'
        | 'leave'
        | 'filter'
        | 'palette'
        | 'help'
        | 'sort'
        | 'invert-sort'
        | 'problems'
        | 'pause'
        | 'refresh'
        | 'copy'
        | 'command'
        | 'redraw'
        | 'suspend';
    };

export type Group = 'MOVE' | 'LOOK' | 'ACT' | 'GENERAL';

export interface Binding {
  keys: readonly string[];
  command: Command;
  group: Group;
  help: string;
  /** Short word for the footer; without it the key is only in the help. */
  footer?: string;
  /** Views it exists in; default all. */
  views?: readonly ViewId[];
  /** It changes something: removed when read-only. */
  acts?: true;
}

const TAILED: readonly ViewId[] = ['overview', 'streams', 'sinks'];
const SORTED: readonly ViewId[] = ['nodes', 'workers', 'jobs', 'streams', 'sinks', 'pending', 'maps', 'entries'];
const LISTED: readonly ViewId[] = ['overview', ...SORTED, 'tail', 'events'];
const OPENED: readonly ViewId[] = [
  'overview',
  'nodes',
  'workers',
  'jobs',
  'streams',
  'sinks',
  'maps',
  'entries',
  'events',
];
const OF_POOL: readonly ViewId[] = ['nodes', 'workers', 'jobs', 'events'];

export const bindings: readonly Binding[] = [
  { keys: ['up', 'k'], command: { do: 'move', by: 'up' }, group: 'MOVE', help: 'one row up' },
  { keys: ['down', 'j'], command: { do: 'move', by: 'down' }, group: 'MOVE', help: 'one row down' },
  { keys: ['pageup', 'ctrl-b'], command: { do: 'move', by: 'page-up' }, group: 'MOVE', help: 'one page up' },
  { keys: ['pagedown', 'ctrl-f', ' '], command: { do: 'move', by: 'page-down' }, group: 'MOVE', help: 'one page down' },
  { keys: ['home', 'g'], command: { do: 'move', by: 'top' }, group: 'MOVE', help: 'first row' },
  // The one upper-case key that does not act: every pager has it.
  { keys: ['end', 'G'], command: { do: 'move', by: 'bottom' }, group: 'MOVE', help: 'last row' },
  {
    keys: ['enter'],
    command: { do: 'open' },
    group: 'MOVE',
    help: 'open what is selected',
    footer: 'open',
    views: OPENED,
  },
  { keys: ['esc'], command: { do: 'back' }, group: 'MOVE', help: 'close, clear the filter, go back', footer: 'back' },
  {
    keys: ['tab'],
    command: { do: 'pool', step: 1 },
    group: 'MOVE',
    help: 'next pool',
    footer: 'pool',
    views: OF_POOL,
  },
  { keys: ['shift-tab'], command: { do: 'pool', step: -1 }, group: 'MOVE', help: 'previous pool', views: OF_POOL },
  {
    keys: ['D'],
    command: { do: 'act', key: 'D' },
    group: 'ACT',
    help: 'stop the job',
    footer: 'stop',
    views: ['jobs', 'job'],
    acts: true,
  },
  {
    keys: ['N'],
    command: { do: 'act', key: 'N' },
    group: 'ACT',
    help: 'notify the job',
    footer: 'notify',
    views: ['jobs', 'job'],
    acts: true,
  },
  {
    keys: ['D'],
    command: { do: 'act', key: 'D' },
    group: 'ACT',
    help: 'drain the worker',
    footer: 'drain',
    views: ['workers'],
    acts: true,
  },
  {
    keys: ['E'],
    command: { do: 'act', key: 'E' },
    group: 'ACT',
    help: 'edit the value',
    footer: 'edit',
    views: ['entries', 'value'],
    acts: true,
  },
  {
    keys: ['D'],
    command: { do: 'act', key: 'D' },
    group: 'ACT',
    help: 'delete the key',
    footer: 'delete',
    views: ['entries', 'value'],
    acts: true,
  },
  { keys: ['t'], command: { do: 'tail' }, group: 'LOOK', help: 'the newest events', footer: 'tail', views: TAILED },
  {
    keys: ['/'],
    command: { do: 'filter' },
    group: 'LOOK',
    help: 'filter: words, !word, re:..., column=text',
    footer: 'filter',
    views: LISTED,
  },
  { keys: ['!'], command: { do: 'problems' }, group: 'LOOK', help: 'only problems', footer: 'problems', views: LISTED },
  {
    keys: ['o'],
    command: { do: 'sort' },
    group: 'LOOK',
    help: 'sort by the next column',
    footer: 'sort',
    views: SORTED,
  },
  { keys: ['i'], command: { do: 'invert-sort' }, group: 'LOOK', help: 'invert the order', views: SORTED },
  {
    keys: ['c'],
    command: { do: 'command' },
    group: 'LOOK',
    help: 'the command line that does the same',
    footer: 'cli',
  },
  { keys: ['y'], command: { do: 'copy' }, group: 'LOOK', help: 'copy the name', footer: 'copy' },
  { keys: ['p'], command: { do: 'pause' }, group: 'LOOK', help: 'pause, go on', footer: 'pause' },
  { keys: ['r'], command: { do: 'refresh' }, group: 'LOOK', help: 'read now' },
  ...Array.from(
    { length: 7 },
    (_, index): Binding => ({
      keys: [String(index + 1)],
      command: { do: 'tab', index },
      group: 'GENERAL',
      help: `view ${index + 1}`,
    }),
  ),
  {
    keys: [':'],
    command: { do: 'palette' },
    group: 'GENERAL',
    help: 'command: a view, job KEY, pool NAME',
    footer: 'command',
  },
  { keys: ['?'], command: { do: 'help' }, group: 'GENERAL', help: 'this help', footer: 'help' },
  { keys: ['q'], command: { do: 'leave' }, group: 'GENERAL', help: 'go back, at the top quit', footer: 'quit' },
  { keys: ['ctrl-c'], command: { do: 'quit' }, group: 'GENERAL', help: 'quit at once' },
  { keys: ['ctrl-z'], command: { do: 'suspend' }, group: 'GENERAL', help: 'suspend; fg continues' },
  { keys: ['ctrl-l'], command: { do: 'redraw' }, group: 'GENERAL', help: 'draw anew' },
];

/** The keys that exist in a view. */
export function bindingsIn(view: ViewId, mayAct: boolean): Binding[] {
  return bindings.filter(binding => (mayAct || !binding.acts) && (!binding.views || binding.views.includes(view)));
}

export function commandFor(key: string, view: ViewId, mayAct: boolean): Command | undefined {
  return bindingsIn(view, mayAct).find(binding => binding.keys.includes(key))?.command;
}
