import { spawnSync } from 'node:child_process';

export default function setup(): void {
  if (spawnSync('redis-server', ['--version']).status !== 0) {
    throw new Error('The tests need redis-server on the PATH. "npm test" installs it where it can.');
  }
  if (spawnSync('tmux', ['-V']).status !== 0) {
    throw new Error('The tests of the dashboard need tmux on the PATH. "npm test" installs it where it can.');
  }
}
