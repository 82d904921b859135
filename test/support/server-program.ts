import { spawnSync } from 'node:child_process';

/** Names another server for the tests than the one of this machine, e.g. `/opt/valkey/bin/valkey-server`. */
const chosen = process.env.PONOS_TEST_SERVER;

/** The server the tests run against; undefined when there is none. */
export const serverProgram = (chosen ? [chosen] : ['redis-server', 'valkey-server']).find(
  program => spawnSync(program, ['--version']).status === 0,
);

/** Some packages leave TLS out. Without a certificate no server starts; what it says on its way out is the answer. */
export function hasTls(program = serverProgram ?? ''): boolean {
  const args = ['--port', '0', '--tls-port', '1', '--save', ''];
  return !/finding TLS support/.test(spawnSync(program, args, { encoding: 'utf8', timeout: 5000 }).stdout);
}
