import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { type Act, actCommand } from '../../src/ui/act.ts';
import { cliCommand } from '../../src/ui/cli-command.ts';
import { editField, fieldOf, typeInto } from '../../src/ui/field.ts';
import { helpLines } from '../../src/ui/frame/help.ts';
import { bindings, bindingsIn, commandFor } from '../../src/ui/keymap.ts';
import { keysOf } from '../../src/ui/keys.ts';
import { unicodeGlyphs } from '../../src/ui/paint/glyphs.ts';
import { lineText } from '../../src/ui/paint/line.ts';
import { parseOrder, suggest } from '../../src/ui/palette.ts';
import { textWidth } from '../../src/ui/text/width.ts';
import type { ViewId } from '../../src/ui/view.ts';
import { views } from '../../src/ui/views/index.ts';
import { fleet } from './fixtures.ts';

const viewIds = Object.keys(views) as ViewId[];

describe('the key map', () => {
  it('acts with upper case alone, and with every upper-case key but G', () => {
    for (const { keys, acts } of bindings) {
      for (const key of keys) expect(/^[A-Z]$/.test(key) && key !== 'G', key).toBe(acts === true);
    }
  });

  it('gives a key one meaning in each view', () => {
    for (const view of viewIds) {
      const keys = bindingsIn(view, true).flatMap(binding => binding.keys);
      expect(new Set(keys).size, view).toBe(keys.length);
    }
  });

  it('has no acting key when read-only: not in the map, not in the help', () => {
    for (const view of viewIds) {
      for (const key of ['D', 'E', 'N']) expect(commandFor(key, view, false)).toBeUndefined();
      const help = helpLines(view, false, unicodeGlyphs, 80).map(lineText).join('\n');
      expect(help).not.toMatch(/^ ACT$/m);
    }
  });

  it.each([40, 60, 80, 96, 120, 200])(
    'is told completely by the help on %i columns, and nothing of it is cut',
    width => {
      for (const view of viewIds) {
        const lines = helpLines(view, true, unicodeGlyphs, width).map(lineText);
        for (const line of lines) expect(textWidth(line.trimEnd()), line).toBeLessThanOrEqual(width);
        const column = width < 96 ? width : Math.floor(width / 2);
        // As it is read: down the left, then down the right.
        const parts = [lines.map(line => line.slice(0, column)), lines.map(line => line.slice(column))];
        const help = parts.flat().join(' ').replace(/\s+/g, ' ');
        for (const binding of bindingsIn(view, true))
          if (binding.command.do !== 'tab') expect(help).toContain(binding.help);
        expect(help).toContain('overview, nodes, workers, jobs, streams, maps, events');
        expect(lines.join(' ').replace(/\s+/g, ' ')).toContain('UPPER CASE acts and asks first');
      }
    },
  );
});

describe('a key press', () => {
  const none = Object.fromEntries(
    [
      'upArrow',
      'downArrow',
      'leftArrow',
      'rightArrow',
      'pageDown',
      'pageUp',
      'home',
      'end',
      'return',
      'escape',
      'ctrl',
      'shift',
      'tab',
      'backspace',
      'delete',
      'meta',
    ].map(name => [name, false]),
  ) as unknown as Parameters<typeof keysOf>[1];

  it('has one name', () => {
    expect(keysOf('', { ...none, upArrow: true })).toEqual(['up']);
    expect(keysOf('', { ...none, escape: true, meta: true })).toEqual(['esc']);
    expect(keysOf('c', { ...none, ctrl: true })).toEqual(['ctrl-c']);
    expect(keysOf('', { ...none, tab: true, shift: true })).toEqual(['shift-tab']);
    expect(keysOf('x', { ...none, meta: true })).toEqual([]);
  });

  it('is one of several when a slow line brings them together', () => {
    expect(keysOf('jj\r', none)).toEqual(['j', 'j', 'enter']);
  });
});

describe('a text field', () => {
  it('is edited at its caret, by whole characters', () => {
    let field = typeInto(fieldOf('aé'), '🎉');
    expect(field).toEqual({ text: 'aé🎉', at: 3 });
    field = editField(field, 'backspace') as typeof field;
    field = editField(field, 'left') as typeof field;
    expect(typeInto(field, 'x').text).toBe('axé');
    expect(editField(fieldOf('one two  '), 'ctrl-w')?.text).toBe('one ');
    expect(editField(fieldOf('one'), 'ctrl-u')?.text).toBe('');
    expect(editField(field, 'f1')).toBeUndefined();
  });

  it('takes no control characters, neither typed nor pasted', () => {
    expect(typeInto(fieldOf(''), 'a\x1b[31m\nb\x00').text).toBe('a[31m b');
  });
});

describe('the palette', () => {
  it.each([
    ['jobs tenant-7', { do: 'view', tab: 3, filter: 'tenant-7' }],
    ['j /tenant-7', { do: 'view', tab: 3, filter: 'tenant-7' }],
    ['job a b', { do: 'job', key: 'a b' }],
    ['pool video', { do: 'pool', name: 'video' }],
    ['theme mono', { do: 'theme', name: 'mono' }],
    ['q', { do: 'quit' }],
  ])('understands %j', (text, order) => {
    expect(parseOrder(text, fleet)).toEqual(order);
  });

  it('says what it does not understand', () => {
    expect(parseOrder('pool nope', fleet)).toMatchObject({ do: 'unknown' });
    expect(parseOrder('frobnicate', fleet)).toMatchObject({ do: 'unknown' });
  });

  it('completes views, pools and themes', () => {
    expect(suggest('wo', fleet)).toBe('rkers');
    expect(suggest('pool vi', fleet)).toBe('deo');
    expect(suggest('', fleet)).toBe('');
  });
});

describe('the command line that does the same', () => {
  const acts: Act[] = [
    { kind: 'stop-job', pool: 'video', key: 'it\'s\n\x1b[31m$(rm) `x` \\ "q" é 日本' },
    { kind: 'notify-job', pool: 'video', key: '-dash', payload: '{"a": 1}' },
    { kind: 'drain-worker', pool: 'video', worker: 'w-01' },
    { kind: 'set-map-value', map: 'm', key: 'a=b', value: '', expected: 'old value' },
    { kind: 'delete-map-key', map: 'm', key: '__proto__' },
  ];

  it('means to a shell exactly the texts it is made of', () => {
    for (const act of acts) {
      const line = actCommand(act).replace(/^ponos /, 'printf "%s\\0" ');
      const words = execFileSync('bash', ['-c', line]).toString().split('\0');
      const texts = Object.entries(act).flatMap(([name, text]) => (name === 'kind' ? [] : [text]));
      for (const text of texts)
        expect(
          words.some(word => word === text || word.endsWith(`=${text}`)),
          line,
        ).toBe(true);
    }
  });

  it('gives a dash, which would stand for standard input, through it', () => {
    const line = actCommand({ kind: 'set-map-value', map: 'm', key: 'k', value: '-', expected: 'x' });
    expect(line).toBe("printf %s - | ponos map set --if-value=x -- m k '-'");
  });

  it('is harmless to show: bytes that are no text are escaped', () => {
    expect(cliCommand('job', 'stop', ['\udcff\x1b'])).toBe("ponos job stop $'\\xff\\x1b'");
    expect(cliCommand('job', 'stop', ['-x'])).toBe("ponos job stop -- '-x'");
  });
});
