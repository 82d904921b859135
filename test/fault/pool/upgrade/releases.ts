/**
 * Releases as their users get them: built by their own build, packed by npm, unpacked in a folder of their own. No network
 * is needed: what they depend on comes from this checkout.
 */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

export interface Release {
  name: string;
  /** Its public surface. */
  engine: string;
  /** Its command line. */
  executable: string;
}

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '..', '..', '..', '..');
const NOT_SOURCES = /^(node_modules|coverage|dist(\..*)?|\.git|\.test-history|.*\.tgz)$/;

export class Releases {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(): Promise<Releases> {
    const folder = await mkdtemp(join(tmpdir(), 'ponos-releases-'));
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    return new Releases(folder);
  }

  /** Of a commit. */
  older(ref: string): Promise<Release> {
    return this.#pack(ref, async sources => {
      const archive = join(this.#folder, 'archive.tar');
      await run('git', ['archive', '--output', archive, ref], { cwd: ROOT });
      await run('tar', ['-xf', archive, '-C', sources]);
    });
  }

  /** Of the working tree, changed by `edit`, which gets the folder of a copy. */
  present(name: string, edit: (sources: string) => unknown = () => {}): Promise<Release> {
    return this.#pack(name, async sources => {
      await cp(ROOT, sources, { recursive: true, filter: path => path === ROOT || !NOT_SOURCES.test(basename(path)) });
      await edit(sources);
    });
  }

  remove(): Promise<void> {
    return rm(this.#folder, { recursive: true });
  }

  async #pack(name: string, fill: (sources: string) => Promise<void>): Promise<Release> {
    const home = await mkdtemp(join(this.#folder, 'release-'));
    const sources = join(home, 'sources');
    await mkdir(sources);
    await fill(sources);
    await run(process.execPath, ['tools/build.ts', '--no-types'], { cwd: sources });
    const offline = ['--ignore-scripts', '--offline', `--cache=${join(home, 'npm')}`];
    const { stdout } = await run('npm', ['pack', '--json', `--pack-destination=${home}`, ...offline], { cwd: sources });
    const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
    await run('tar', ['-xzf', join(home, filename), '-C', home]);
    await rm(sources, { recursive: true });
    const packed = join(home, 'package');
    return { name, engine: join(packed, 'dist', 'engine', 'index.js'), executable: join(packed, 'bin', 'run.js') };
  }
}

/** Before the first release: the first commit whose processes understand those of today. */
const FIRST_COMPATIBLE = '13e7b3565d36135852c553b1aea5522674a9604f';

/**
 * The release before this one: `PONOS_TEST_OLDER`, a tag or any other commit, or the newest tag that is not of this very
 * commit. A text in `missing` says why there is none.
 */
export async function findOlder(): Promise<{ ref: string } | { missing: string }> {
  const given = process.env.PONOS_TEST_OLDER;
  if (given) return { ref: given };
  const git = async (...args: string[]) => (await run('git', args, { cwd: ROOT })).stdout.split('\n').filter(Boolean);
  const tags = () => git('tag', '--list', 'v*', '--merged', 'HEAD', '--no-contains', 'HEAD', '--sort=-v:refname');
  try {
    const [newest = FIRST_COMPATIBLE] = await tags();
    await git('cat-file', '-e', `${newest}^{commit}`);
    return { ref: newest === FIRST_COMPATIBLE ? newest.slice(0, 7) : newest };
  } catch (error) {
    const why = String((error as { stderr?: string }).stderr || error).trim();
    return {
      missing: `there is no older release: this checkout lacks the history (${why}); git fetch --unshallow --tags`,
    };
  }
}
