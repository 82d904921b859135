/** What is wrong with the server itself, beyond what a snapshot of it shows. */
import { RedisCommandError, RedisDeniedError } from '../core/errors.ts';
import type { RedisLink } from '../redis/link.ts';
import { checkCluster } from './redis-cli.ts';
import { readServers, type ServerFacts } from './server.ts';
import type { Finding, FindingSeverity } from './snapshots.ts';

/** From which value on something is worth a person's attention. */
export const healthLimits = {
  roundTripMs: 200,
  clockSkewMs: 5000,
  replicaLagS: 10,
} as const;

const SLOTS = 16_384;

/** Replication, the last saves, the clock and the way there of each server, and the cluster. */
export async function inspectHealth(link: RedisLink, servers?: readonly ServerFacts[]): Promise<Finding[]> {
  const known = servers ?? (await readServers(link));
  const findings = (await Promise.all(known.map(server => inspectOne(link, server)))).flat();
  if (known.some(({ info }) => info.get('cluster_enabled') === '1'))
    findings.push(...(await inspectCluster(link, known)));
  return findings;
}

async function inspectOne(link: RedisLink, { address, cli, node, info, roundTripMs }: ServerFacts): Promise<Finding[]> {
  const findings: Finding[] = [];
  const add = (severity: FindingSeverity, code: string, message: string, command: string | null = null) =>
    findings.push({ severity, code, subject: { kind: 'server', name: address }, message, command });
  const time = (await link.commands.callAt(node, 'TIME')) as [Buffer, Buffer];
  const skewMs = Number(time[0]) * 1000 + Number(time[1]) / 1000 - link.clock.wallMs();
  const is = (name: string, value: string) => info.get(name) === value;
  if (roundTripMs > healthLimits.roundTripMs) {
    add(
      'warning',
      'SLOW_ROUND_TRIP',
      `a command took ${Math.round(roundTripMs)} ms there and back`,
      `${cli} --latency`,
    );
  }
  if (Math.abs(skewMs) > healthLimits.clockSkewMs + roundTripMs) {
    const text = `its clock is ${Math.round(Math.abs(skewMs) / 1000)} s ${skewMs > 0 ? 'ahead of' : 'behind'} the one here`;
    add('warning', 'CLOCK_SKEW', `${text}: leases do not mind, times shown are off`);
  }
  if (
    is('rdb_last_bgsave_status', 'err') ||
    is('aof_last_write_status', 'err') ||
    is('aof_last_bgrewrite_status', 'err')
  ) {
    add(
      'critical',
      'PERSISTENCE_FAILS',
      'it could not write its data to disk the last time',
      `${cli} info persistence`,
    );
  }
  if (is('role', 'slave')) {
    add('critical', 'IS_REPLICA', 'it is a replica: every write is refused', `${cli} role`);
    if (!is('master_link_status', 'up')) add('critical', 'REPLICATION_DOWN', 'it has lost its master', `${cli} role`);
  }
  for (const [name, value] of info) {
    const replica = /^slave\d+$/.test(name) && /ip=([^,]*),port=(\d+),state=(\w+).*?lag=(-?\d+)/.exec(value);
    if (!replica || (replica[3] === 'online' && Number(replica[4]) <= healthLimits.replicaLagS)) continue;
    const message = `its replica ${replica[1]}:${replica[2]} is ${replica[3]}, ${replica[4]} s behind: a failover would lose that`;
    add('warning', 'REPLICA_BEHIND', message, `${cli} info replication`);
  }
  return findings;
}

async function inspectCluster(link: RedisLink, known: readonly ServerFacts[]): Promise<Finding[]> {
  const findings: Finding[] = [];
  const add = (code: string, message: string) => {
    const subject = { kind: 'server', name: link.address } as const;
    const command = checkCluster(link.address, known[0]?.node);
    findings.push({ severity: 'critical', code, subject, message, command });
  };
  try {
    // One that answered: left to the client it may be the one that is gone.
    const text = String(await link.commands.callAt(known[0]?.node, 'CLUSTER', 'INFO'));
    const fact = (name: string) => new RegExp(`^${name}:(\\S+)`, 'm').exec(text)?.[1];
    if (fact('cluster_state') !== 'ok') add('CLUSTER_DOWN', `the cluster is ${fact('cluster_state')}`);
    const served = Number(fact('cluster_slots_ok'));
    if (served < SLOTS) add('SLOTS_NOT_SERVED', `${SLOTS - served} of ${SLOTS} slots are not served`);
  } catch (error) {
    // Forbidden, or a server that has no clusters: what it says otherwise must do.
    if (!(error instanceof RedisDeniedError || error instanceof RedisCommandError)) throw error;
  }
  return findings;
}
