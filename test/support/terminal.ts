/** A real terminal: tmux with a server of its own, driven and read from outside. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './until.ts';

const root = join(import.meta.dirname, '..', '..');

export interface TerminalOptions {
  columns?: number;
  rows?: number;
  /** Added to a clean environment. */
  env?: Record<string, string>;
}

export class Terminal {
  readonly #socket: string;
  readonly #home: string;

  private constructor(socket: string, home: string) {
    this.#socket = socket;
    this.#home = home;
  }

  /** An interactive shell on a terminal of that size. */
  static async open({ columns = 80, rows = 24, env = {} }: TerminalOptions = {}): Promise<Terminal> {
    const home = mkdtempSync(join(tmpdir(), 'ponos-terminal-'));
    const terminal = new Terminal(join(home, 'tmux'), home);
    const settings = {
      PATH: `${join(process.execPath, '..')}:${process.env.PATH ?? ''}`,
      HOME: home,
      TERM: 'xterm-256color',
      LANG: 'C.UTF-8',
      XDG_CACHE_HOME: join(tmpdir(), 'ponos-test-cache'),
      PS1: 'ready> ',
      ...env,
    };
    const assignments = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
    const size = ['-x', String(columns), '-y', String(rows)];
    terminal.#tmux('new-session', '-d', ...size, 'env', '-i', ...assignments, 'bash', '--norc', '--noprofile', '-i');
    terminal.#tmux('set', '-g', 'window-size', 'manual');
    await until(() => terminal.text().includes('ready>'), 'the shell');
    return terminal;
  }

  /** The built `ponos`, as this terminal's shell calls it. */
  static command(...args: string[]): string {
    return [process.execPath, join(root, 'bin', 'run.js'), ...args].map(word => `'${word}'`).join(' ');
  }

  /** Keys by their names in tmux: `j`, `Enter`, `C-c`, `Escape`. */
  keys(...names: string[]): void {
    this.#tmux('send-keys', ...names);
  }

  /** Runs a command line in the shell's foreground and gives its process id once the process is there. */
  async start(line: string): Promise<number> {
    const file = join(this.#home, 'pid');
    this.type(`sh -c 'echo $$ > ${file}; exec "$0" "$@"' ${line}; echo "ended with $?"`);
    return until(() => Number(existsSync(file) && readFileSync(file, 'utf8')), 'the process');
  }

  /** A line typed into the shell. */
  type(line: string): void {
    this.#tmux('send-keys', '-l', line);
    this.#tmux('send-keys', 'Enter');
  }

  resize(columns: number, rows: number): void {
    this.#tmux('resize-window', '-x', String(columns), '-y', String(rows));
  }

  /** What is on the screen, one text per row. */
  rows(): string[] {
    return this.#tmux('capture-pane', '-p').replace(/\n$/, '').split('\n');
  }

  text(): string {
    return this.rows().join('\n');
  }

  /** Waits until the screen shows it. */
  async shows(what: string | RegExp, limitMs?: number): Promise<void> {
    const isShown = () => (typeof what === 'string' ? this.text().includes(what) : what.test(this.text()));
    try {
      await until(isShown, `${what} on the screen`, limitMs === undefined ? {} : { limitMs });
    } catch (error) {
      throw new Error(`${(error as Error).message}; it shows:\n${this.text()}`);
    }
  }

  state(): { alternate: boolean; cursor: boolean; scrollback: number; title: string } {
    const [alternate, cursor, scrollback, ...title] = this.#tmux(
      'display',
      '-p',
      '#{alternate_on} #{cursor_flag} #{history_size} #{pane_title}',
    )
      .trim()
      .split(' ');
    return {
      alternate: alternate === '1',
      cursor: cursor === '1',
      scrollback: Number(scrollback),
      title: title.join(' '),
    };
  }

  close(): void {
    spawnSync('tmux', ['-S', this.#socket, 'kill-server']);
    // What ran in it may still be ending.
    rmSync(this.#home, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }

  #tmux(...args: string[]): string {
    return execFileSync('tmux', ['-u', '-S', this.#socket, '-f', '/dev/null', ...args], { encoding: 'utf8' });
  }
}
