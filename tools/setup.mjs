/**
 * Brings a fresh clone to where the npm scripts can run: npm dependencies, and the programs asked for by name.
 * Plain JavaScript on old syntax, because it runs before the repository's own Node is there.
 *
 *   node tools/setup.mjs [redis-server] [tmux]
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const windows = process.platform === 'win32';

function run(command, args, options) {
  return spawnSync(
    command,
    args,
    Object.assign({ cwd: root, stdio: ['ignore', 'inherit', 'inherit'], shell: windows }, options),
  );
}

function succeed(command, args, options) {
  const result = run(command, args, options);
  if (result.status !== 0)
    fail(`"${command} ${args.join(' ')}" failed${result.error ? `: ${result.error.message}` : ''}.`);
}

function fail(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exit(1);
}

function has(program) {
  return spawnSync(program, [program === 'tmux' ? '-V' : '--version'], { stdio: 'ignore' }).status === 0;
}

/** npm writes this file last, so it holds what the last complete installation was made from. */
function dependenciesAreCurrent() {
  const installed = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installed) || !existsSync(join(root, 'node_modules', 'node', 'bin'))) return false;
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const present = JSON.parse(readFileSync(installed, 'utf8')).packages;
  return Object.keys(wanted).every(path => {
    const entry = wanted[path];
    return path === '' || entry.optional || (present[path] && present[path].version === entry.version);
  });
}

const SERVERS = { 'redis-server': ['redis-server', 'valkey-server'], tmux: ['tmux'] };

function provide(program) {
  if (SERVERS[program].some(has)) return;
  if (existsSync('/usr/bin/apt-get')) {
    const sudo = process.getuid && process.getuid() !== 0 ? ['sudo', '-n'] : [];
    const apt = args => {
      const words = sudo.concat(['apt-get'], args);
      return run(words[0], words.slice(1), {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: Object.assign({}, process.env, { DEBIAN_FRONTEND: 'noninteractive' }),
      }).status;
    };
    process.stderr.write(`Installing the Debian package ${program} ...\n`);
    if (apt(['install', '-y', '-qq', '--no-install-recommends', program]) !== 0) {
      apt(['update', '-qq']);
      if (apt(['install', '-y', '-qq', '--no-install-recommends', program]) !== 0) {
        fail(`${program} is not installed, and apt-get could not install it. As root: apt-get install ${program}`);
      }
    }
  } else if (has('brew')) {
    const formula = program === 'redis-server' ? 'redis' : program;
    process.stderr.write(`Installing ${formula} with Homebrew ...\n`);
    succeed('brew', ['install', '--quiet', formula]);
  }
  if (!SERVERS[program].some(has)) {
    fail(
      `This needs ${program} on the PATH. Install it with your system's package manager (Redis 7.0 or Valkey 7.2, or newer).`,
    );
  }
}

if (!dependenciesAreCurrent()) {
  process.stderr.write('Installing the npm packages ...\n');
  // Without the warnings that this machine's own Node is older than what is being installed.
  succeed('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
}
process.argv.slice(2).forEach(provide);
