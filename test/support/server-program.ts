import { spawnSync } from 'node:child_process';

/** Names another server for the tests than the one of this machine, e.g. `/opt/valkey/bin/valkey-server`. */
const chosen = process.env.PONOS_TEST_SERVER;

/** The server the tests run against; undefined when there is none. */
export const serverProgram = (chosen ? [chosen] : ['redis-server', 'valkey-server']).find(
  program => spawnSync(program, ['--version']).status === 0,
);
