/** A view that is read, not chosen from: lines that scroll. */
import type { Blob } from '../model.ts';
import { fitLines, type Line } from '../paint/line.ts';
import { unreadLine } from '../table/unread.ts';
import { cellText } from '../text/cell.ts';
import { takeWidth, textWidth } from '../text/width.ts';
import type { Area, Item, Place, Scene, View } from '../view.ts';

export interface Page extends Pick<View, 'id' | 'crumb' | 'command' | 'focus'> {
  /** null while it was not read yet. */
  lines(scene: Scene, place: Place, width: number): Line[] | null;
  item(scene: Scene, place: Place): Item;
}

export function pageView(page: Page): View {
  return {
    ...page,
    sorts: [],
    defaultSort: null,
    pageRows: area => Math.max(1, area.height - 1),
    list: (scene, place) => ({ ids: ['page'], total: 1, item: () => page.item(scene, place) }),
    pageLength: (scene, place, area) => page.lines(scene, place, area.width)?.length ?? 0,
    draw: (scene, place, area) => drawPage(page, scene, place, area),
  };
}

function drawPage(page: Page, scene: Scene, place: Place, area: Area): Line[] {
  const lines = page.lines(scene, place, area.width);
  if (!lines) return fitLines([unreadLine(scene, place.at, area.width)], area.width, area.height);
  const offset = Math.max(0, Math.min(place.cursor.offset, lines.length - area.height));
  return fitLines(lines.slice(offset), area.width, area.height);
}

/** Named values, one a line. */
export function fieldLine(name: string, value: string, role?: 'ok' | 'warn' | 'bad' | 'busy' | 'muted'): Line {
  return [
    [`  ${name.padEnd(12)}`, 'muted'],
    [cellText(value), role],
  ];
}

/** Longest part of a payload that is laid out; the rest is told by its size. */
const SHOWN_CHARACTERS = 64 * 1024;

/** The bytes as a person can read them: JSON indented, text in its lines, anything else in hex. */
export function blobLines(blob: Blob, width: number): Line[] {
  const room = Math.max(10, width - 4);
  const lines: Line[] =
    blob.encoding === 'base64' ? hexLines(Buffer.from(blob.data, 'base64')) : textLines(readable(blob.data), room);
  return lines.map(line => [['    '], ...line]);
}

function readable(text: string): string {
  const cut = text.slice(0, SHOWN_CHARACTERS);
  if (!/^\s*[[{]/.test(cut)) return cut;
  try {
    return JSON.stringify(JSON.parse(text), null, 2).slice(0, SHOWN_CHARACTERS);
  } catch {
    return cut;
  }
}

function textLines(text: string, width: number): Line[] {
  return text.split('\n').flatMap(line => {
    let rest = cellText(line.replaceAll('\t', '  '));
    const pieces: Line[] = [];
    do {
      const piece = takeWidth(rest, width) || rest;
      pieces.push([[piece]]);
      rest = rest.slice(piece.length);
    } while (textWidth(rest) > 0);
    return pieces;
  });
}

function hexLines(bytes: Uint8Array): Line[] {
  const lines: Line[] = [];
  for (let at = 0; at < Math.min(bytes.length, 4096); at += 16) {
    const row = [...bytes.subarray(at, at + 16)];
    const hex = row.map(byte => byte.toString(16).padStart(2, '0')).join(' ');
    const text = row.map(byte => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    lines.push([[at.toString(16).padStart(6, '0'), 'muted'], [`  ${hex.padEnd(47)}  `], [text, 'accent']]);
  }
  return lines;
}
