import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serverProgram } from './server-program.ts';

export default function setup(): () => void {
  if (!serverProgram) {
    const chosen = process.env.PONOS_TEST_SERVER;
    if (chosen) throw new Error(`"${chosen}" of PONOS_TEST_SERVER does not run.`);
    throw new Error('The tests need redis-server or valkey-server on the PATH. "npm test" installs it where it can.');
  }
  // Code compiled by the processes the tests start, which they share: test/support/cli.ts.
  return () => rmSync(join(tmpdir(), 'ponos-test-cache'), { recursive: true, force: true });
}
