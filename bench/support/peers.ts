/** Other systems to compare with, in a folder of their own that is filled when first needed. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join(import.meta.dirname, '..', 'peers');

/** undefined, or why there is no BullMQ here. */
export function missingBullMq(): string | undefined {
  if (existsSync(join(FOLDER, 'node_modules', 'bullmq'))) return undefined;
  const options = ['--no-package-lock', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status, stderr } = spawnSync('npm', ['install', ...options], { cwd: FOLDER, encoding: 'utf8' });
  return status === 0 ? undefined : `not installed: ${stderr.split('\n')[0] ?? ''}`;
}
