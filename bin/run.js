#!/usr/bin/env node
// The executable. It must parse on any Node since 14, so that an old one gets a sentence and not a stack.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import * as modules from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const argv = process.argv.slice(2);
const OLDEST = [22, 0];

function isOld() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  return major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
}

function readVersion() {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;
}

/** Goes on under the Node that the repository installed for itself. */
function runUnderOwnNode() {
  const node = join(root, 'node_modules', 'node', 'bin', 'node');
  if (!existsSync(node)) {
    process.stderr.write(
      `ponos needs Node ${OLDEST.join('.')} or newer, and this is ${process.versions.node}: install a newer Node, ` +
        `or run "npm install" in ${root}, which brings one.\n`,
    );
    process.exit(1);
  }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...argv], { stdio: 'inherit' });
  const forward = signal => child.kill(signal);
  process.on('SIGTERM', forward);
  process.on('SIGHUP', forward);
  // A terminal sends INT to both of us.
  process.on('SIGINT', signal => {
    if (!process.stdin.isTTY) forward(signal);
  });
  child.on('error', error => {
    process.stderr.write(`ponos cannot start ${node}: ${error.message}\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    if (signal) {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    } else process.exit(code);
  });
}

/**
 * What the libraries read from the environment as they load: React's fast build; no debug output, because it prints
 * arguments, secrets included; and NO_COLOR wins over FORCE_COLOR. What is changed is given back to child processes.
 */
function adjustEnvironment() {
  const wanted = { NODE_ENV: 'production', DEV: undefined, DEBUG: undefined };
  if (process.env.NO_COLOR) wanted.FORCE_COLOR = undefined;
  const changed = {};
  for (const name of Object.keys(wanted)) {
    if (process.env[name] === wanted[name]) continue;
    changed[name] = process.env[name];
    if (wanted[name] === undefined) delete process.env[name];
    else process.env[name] = wanted[name];
  }
  return changed;
}

/** Compiled code is kept between starts, in a folder of the user's own. */
function keepCompiledCode() {
  const cache = process.env.XDG_CACHE_HOME || join(process.env.HOME || homedir(), '.cache');
  if (modules.enableCompileCache && !process.env.NODE_DISABLE_COMPILE_CACHE) {
    modules.enableCompileCache(join(cache, 'ponos', 'compiled'));
  }
}

async function start() {
  const entry = join(root, 'dist', 'cli', 'main.js');
  if (!existsSync(entry)) {
    process.stderr.write(`ponos is not built yet: run "npm run build" in ${root}.\n`);
    process.exit(1);
  }
  keepCompiledCode();
  const changedEnvironment = adjustEnvironment();
  const { run } = await import(pathToFileURL(entry).href);
  process.exit(await run(argv, { root, changedEnvironment }));
}

if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) process.stdout.write(`${readVersion()}\n`);
else if (isOld()) runUnderOwnNode();
else
  start().catch(error => {
    process.stderr.write(`ponos cannot start: ${error.message}\n`);
    process.exit(1);
  });
