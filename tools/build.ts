/**
 * Builds `dist/`: the command line as a bundle split at commands (start-up reads a few small files instead of hundreds),
 * the engine as a library with its dependencies left outside, its type declarations, and `oclif.manifest.json`.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Plugin } from '@oclif/core';
import { type BuildOptions, build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const node = process.execPath;
process.chdir(root);

/** Built aside and swapped in whole: what runs from `dist/` meanwhile never sees half of it. */
const aside = `dist.new-${process.pid}`;

const shared: BuildOptions = {
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  outbase: 'src',
  outdir: aside,
  legalComments: 'none',
  logLevel: 'warning',
};

async function main(): Promise<void> {
  execFileSync(node, ['tools/lua.ts'], { stdio: 'inherit' });
  try {
    await Promise.all([buildCommandLine(), buildLibrary()]);
    if (!process.argv.includes('--no-types')) {
      const options = ['-p', 'tsconfig.types.json', '--outDir', `${aside}/types`];
      execFileSync(node, ['node_modules/typescript/bin/tsc', ...options], { stdio: 'inherit' });
    }
    swap();
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
  await writeManifest();
}

function swap(): void {
  const old = `dist.old-${process.pid}`;
  if (existsSync('dist')) renameSync('dist', old);
  renameSync(aside, 'dist');
  rmSync(old, { recursive: true, force: true });
}

async function buildCommandLine(): Promise<void> {
  await build({
    ...shared,
    entryPoints: ['src/cli/main.ts', 'src/cli/demo/handler.ts', ...globSync('src/commands/**/*.{ts,tsx}')],
    chunkNames: 'chunks/[name]-[hash]',
    splitting: true,
    minify: true,
    keepNames: true,
    define: { 'process.env.NODE_ENV': '"production"' },
    // Packages that dependencies load only when they are there.
    external: ['typescript', 'ts-node', 'react-devtools-core'],
    // Some dependencies are CommonJS and ask for `require`.
    banner: { js: "import{createRequire as $require}from'node:module';const require=$require(import.meta.url);" },
  });
}

async function buildLibrary(): Promise<void> {
  await build({
    ...shared,
    // The programs that a worker runs beside itself are found by their names; the classes of errors are theirs, too.
    entryPoints: ['src/engine/index.ts', 'src/engine/pool/exec/watchdog.ts', 'src/engine/pool/isolate/host.ts'],
    chunkNames: 'engine/chunks/[name]-[hash]',
    splitting: true,
    packages: 'external',
    sourcemap: true,
  });
}

/** What oclif would otherwise find out at every start by loading every command. */
async function writeManifest(): Promise<void> {
  const plugin = new Plugin({ root, ignoreManifest: true, errorOnManifestCreate: true, respectNoCacheDefault: true });
  await plugin.load();
  const commandCount = Object.keys(plugin.manifest.commands).length;
  writeFileSync(`${aside}.json`, `${JSON.stringify(plugin.manifest)}\n`);
  renameSync(`${aside}.json`, 'oclif.manifest.json');
  console.log(`built ${commandCount} commands`);
}

await main();
