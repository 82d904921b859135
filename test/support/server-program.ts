import { spawnSync } from 'node:child_process';

/** The server there is on this machine; undefined when there is none. */
export const serverProgram = ['redis-server', 'valkey-server'].find(
  program => spawnSync(program, ['--version']).status === 0,
);
