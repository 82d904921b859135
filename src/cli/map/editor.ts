import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeError } from '../../engine/index.ts';
import { UsageError } from '../errors.ts';

/** A file that only this user can read, for as long as it is edited. */
export class EditedFile {
  readonly path: string;
  readonly #folder: string;
  readonly #before: string;

  private constructor(folder: string, path: string, before: string) {
    this.#folder = folder;
    this.#before = before;
    this.path = path;
  }

  static async create(name: string, text: string): Promise<EditedFile> {
    const folder = await mkdtemp(join(tmpdir(), 'ponos-edit-'));
    const path = join(folder, name);
    await writeFile(path, text, { mode: 0o600 });
    return new EditedFile(folder, path, text);
  }

  /**
   * Opens it in the editor of the user, as git does: a command of the shell, the file its last argument.
   * @throws UsageError when there is none, it cannot be started or it failed.
   */
  async edit(env: NodeJS.ProcessEnv, isTerminal: boolean): Promise<void> {
    const editor = env.VISUAL || env.EDITOR || (isTerminal ? 'vi' : undefined);
    if (!editor) {
      throw new UsageError('no editor is known, and there is no terminal for vi', { hint: 'Set EDITOR or VISUAL.' });
    }
    const child = spawn('/bin/sh', ['-c', `${editor} "$@"`, editor, this.path], { stdio: 'inherit' });
    const ended = await new Promise<string | number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => resolve(signal ?? code));
    });
    if (ended !== 0) {
      throw new UsageError(`the editor ended with ${ended}; nothing was written`, {
        hint: 'Set EDITOR or VISUAL to an editor that is there.',
      });
    }
  }

  /** What is in it now. @throws UsageError when the editor left no file that can be read. */
  async read(): Promise<Buffer> {
    try {
      return await readFile(this.path);
    } catch (error) {
      throw new UsageError(`the edited file cannot be read; nothing was written: ${describeError(error)}`, {
        cause: error,
      });
    }
  }

  /** Whether there is something in it that would be lost. */
  async isEdited(): Promise<boolean> {
    const now = await readFile(this.path).catch(() => undefined);
    return now !== undefined && !now.equals(Buffer.from(this.#before));
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}
