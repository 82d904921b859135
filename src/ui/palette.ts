/** What may be typed after a colon: a view with a filter, `job KEY`, `pool NAME`, `theme NAME`, `quit`, `help`. Pure. */
import type { FleetSnapshot } from './model.ts';
import { type ThemeName, themeNames } from './paint/theme.ts';
import { tabs } from './views/index.ts';

export type Order =
  | { do: 'view'; tab: number; filter: string }
  | { do: 'job'; key: string }
  | { do: 'pool'; name: string }
  | { do: 'theme'; name: ThemeName }
  | { do: 'quit' }
  | { do: 'help' }
  | { do: 'unknown'; reason: string };

const WORDS = ['job', 'pool', 'theme', 'quit', 'help'] as const;
const SHORT: Readonly<Record<string, string>> = {
  o: 'overview',
  n: 'nodes',
  w: 'workers',
  j: 'jobs',
  s: 'streams',
  st: 'streams',
  m: 'maps',
  e: 'events',
  q: 'quit',
  exit: 'quit',
};

export function parseOrder(text: string, snapshot: FleetSnapshot): Order {
  const [, typed = '', rest = ''] = /^\s*(\S+)\s*(.*)$/s.exec(text) ?? [];
  const word = SHORT[typed.toLowerCase()] ?? typed.toLowerCase();
  const tab = tabs.findIndex(({ view }) => view === word);
  if (tab >= 0) return { do: 'view', tab, filter: rest.trim().replace(/^\//, '') };
  switch (word) {
    case 'quit':
    case 'help':
      return { do: word };
    case 'job':
      return rest === '' ? { do: 'unknown', reason: 'which job? job KEY' } : { do: 'job', key: rest };
    case 'pool':
      return (snapshot.pools ?? []).some(pool => pool.name === rest)
        ? { do: 'pool', name: rest }
        : { do: 'unknown', reason: `there is no pool "${rest}"` };
    case 'theme':
      return themeNames.includes(rest as ThemeName)
        ? { do: 'theme', name: rest as ThemeName }
        : { do: 'unknown', reason: `themes: ${themeNames.join(', ')}` };
    default:
      return {
        do: 'unknown',
        reason: `unknown command "${typed}"; try ${tabs.map(({ view }) => view).join(', ')}, job KEY`,
      };
  }
}

/** What would complete the text, to be taken with tab; empty when nothing does. */
export function suggest(text: string, snapshot: FleetSnapshot): string {
  if (text === '') return '';
  const argument = /^\s*(pool|theme)\s+(.*)$/.exec(text);
  if (argument) {
    const choices = argument[1] === 'pool' ? (snapshot.pools ?? []).map(pool => pool.name) : themeNames;
    return completion(argument[2] ?? '', choices);
  }
  return completion(text.toLowerCase(), [...tabs.map(({ view }) => view), ...WORDS]);
}

function completion(typed: string, choices: readonly string[]): string {
  return choices.find(choice => choice.startsWith(typed) && choice !== typed)?.slice(typed.length) ?? '';
}
