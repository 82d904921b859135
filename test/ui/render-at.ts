/** Ink on a pretended terminal of any size: whole frames, keys, resizes. */
import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { render } from 'ink';
import type { ReactNode } from 'react';

class Screen extends EventEmitter {
  readonly isTTY = true;
  readonly writable = true;
  readonly frames: string[] = [];
  columns: number;
  rows: number;

  constructor(columns: number, rows: number) {
    super();
    this.columns = columns;
    this.rows = rows;
  }

  write(text: string, done?: () => void): boolean {
    if (text !== '') this.frames.push(text);
    if (done) queueMicrotask(done);
    return true;
  }
}

class Keyboard extends PassThrough {
  readonly isTTY = true;
  isRaw = false;

  setRawMode(raw: boolean): this {
    this.isRaw = raw;
    return this;
  }
  ref(): void {}
  unref(): void {}
}

export interface Rendered {
  /** The last whole frame, without colours, one text per row. */
  rows(): string[];
  type(keys: string): void;
  resize(columns: number, rows: number): void;
  readonly isRaw: boolean;
  unmount(): void;
}

export function renderAt(columns: number, rows: number, tree: (stdout: NodeJS.WriteStream) => ReactNode): Rendered {
  const stdout = new Screen(columns, rows);
  const stdin = new Keyboard();
  const streams = { stdout: stdout as unknown as NodeJS.WriteStream, stdin: stdin as unknown as NodeJS.ReadStream };
  // Debug: every commit is written whole, so that the last write is the screen.
  const instance = render(tree(streams.stdout), {
    ...streams,
    debug: true,
    interactive: true,
    exitOnCtrlC: false,
    patchConsole: false,
  });
  return {
    rows: () =>
      (stdout.frames.findLast(frame => !/^\x1b\[\?\d+[hl]$/.test(frame)) ?? '')
        .replace(/\x1b\[[\d;]*m/g, '')
        .split('\n'),
    type: keys => {
      stdin.write(keys);
    },
    resize: (newColumns, newRows) => {
      stdout.columns = newColumns;
      stdout.rows = newRows;
      stdout.emit('resize');
    },
    get isRaw() {
      return stdin.isRaw;
    },
    unmount: () => instance.unmount(),
  };
}
