/** Everything that can be checked from outside, in one answer: the server, the pools with their invariants, the rest. */
import { NotFoundError, WrongTypeError } from '../core/errors.ts';
import { isBeingRemoved } from '../pool/removal.ts';
import type { RedisLink } from '../redis/link.ts';
import { wholeOf } from '../streams/partitioned.ts';
import { namesOf, remedyFor } from './broken.ts';
import { findProblems } from './findings.ts';
import { checkInvariants, type InvariantReport } from './invariants/invariants.ts';
import type { Violation } from './invariants/violation.ts';
import { listMaps } from './maps.ts';
import { listWorkers, showPool } from './pools.ts';
import { readServers, type ServerFacts, serverSnapshot, wholeServer } from './server.ts';
import { inspectHealth } from './server-health.ts';
import type { Finding, PoolSnapshot, ServerSnapshot, WorkerSnapshot } from './snapshots.ts';
import { listStreams } from './streams.ts';

export interface DiagnosisOptions {
  /** Only these pools, no streams and no maps; left out, everything there is. */
  pools?: readonly string[] | undefined;
  /** Called while a pool is looked at. */
  onProgress?: ((pool: string, keyCount: number) => void) | undefined;
  signal?: AbortSignal | undefined;
}

export interface Diagnosis {
  /** Nothing critical was found. */
  healthy: boolean;
  server: ServerSnapshot;
  /** What is wrong, critical first. */
  findings: Finding[];
  pools: InvariantReport[];
}

/** @throws NotFoundError when a pool that was named does not exist; ArgumentError, RedisUnavailableError, RedisDeniedError. */
export async function diagnose(link: RedisLink, options: DiagnosisOptions = {}): Promise<Diagnosis> {
  const { pools: named, onProgress, signal } = options;
  const servers = await readServers(link);
  const reports: InvariantReport[] = [];
  const own = await inspectHealth(link, servers);
  const typed = named ? [] : await typeFindings(link, servers);
  for (const pool of named ?? (await registered(link, 'pools'))) {
    const report = await checkInvariants(link, pool, { onProgress: count => onProgress?.(pool, count), signal });
    if (report.keyCount > 0) reports.push(report);
    else if (await isBeingRemoved(link, pool)) own.push(interruptedRemoval(pool));
    else if (named) throw new NotFoundError('pool', pool, { hint: '"ponos pool list" shows those that exist.' });
  }
  const seen = await Promise.all(reports.map(({ pool }) => lookAtPool(link, pool)));
  const facts = {
    masters: servers.map(serverSnapshot),
    pools: seen.flatMap(({ snapshot }) => snapshot ?? []),
    streams: named ? [] : await listStreams(link, await registered(link, 'streams')),
    maps: named ? [] : await listMaps(link, await registered(link, 'maps')),
    staleWorkers: seen.flatMap(({ workers }) => workers.filter(({ state }) => state === 'STALE')),
    unwellWorkers: seen.flatMap(({ workers }) => workers.filter(({ state }) => state !== 'STALE')),
    workers: new Map<string, WorkerSnapshot[]>(),
    jobs: null,
    stalledMs: new Map<string, number>(),
  };
  // Which key it is is told of each; the same once more for the whole adds nothing.
  const isTold = ({ code, subject: { kind, name } }: Finding) =>
    code === 'BROKEN' && typed.some(({ subject }) => subject.kind === kind && subject.name === name);
  const problems = findProblems(facts, link.clock.wallMs()).filter(finding => !isTold(finding));
  const all = [...own, ...typed, ...reports.flatMap(invariantFindings), ...problems];
  const findings = all.sort((a, b) => Number(b.severity === 'critical') - Number(a.severity === 'critical'));
  return {
    healthy: findings.every(({ severity }) => severity !== 'critical'),
    server: wholeServer(link.address, servers),
    findings,
    pools: reports,
  };
}

function interruptedRemoval(pool: string): Finding {
  const message = 'is being removed; unless that is at work now, it was interrupted';
  const command = `ponos pool remove ${pool}`;
  return { severity: 'warning', code: 'REMOVAL_INTERRUPTED', subject: { kind: 'pool', name: pool }, message, command };
}

/** A finding for each kind of violation, with the first of them. */
function invariantFindings({ pool, violations, moreCount, asideCount }: InvariantReport): Finding[] {
  const subject = { kind: 'pool', name: pool } as const;
  const findings = [...Map.groupBy(violations, ({ code }) => code)].map(([code, all]): Finding => {
    const [first] = all as [Violation];
    const { severity, command } = consequence(first, pool);
    const more = all.length > 1 ? ` (and ${all.length - 1} more)` : '';
    const message = `${first.key}${first.job === null ? '' : `, job "${first.job}"`}: is ${first.is}, should be ${first.shouldBe}${more}`;
    return { severity, code, subject, message, command };
  });
  if (moreCount > 0) {
    const message = `${moreCount} more violations of its invariants`;
    findings.push({ severity: 'critical', code: 'MORE_VIOLATIONS', subject, message, command: null });
  }
  if (asideCount > 0) {
    const message = `${asideCount === 1 ? '1 key was' : `${asideCount} keys were`} set aside, beyond repair`;
    findings.push({ severity: 'warning', code: 'SET_ASIDE', subject, message, command: null });
  }
  return findings;
}

function consequence({ code, remedy }: Violation, pool: string): Pick<Finding, 'severity' | 'command'> {
  // A clock that was set back, or a key of a later release, harms nothing by itself.
  if (code === 'CLOCK_AHEAD' || code === 'UNKNOWN_KEY') return { severity: 'warning', command: null };
  if (remedy === 'derived') return { severity: 'critical', command: `ponos doctor ${pool} --repair` };
  if (remedy === 'broken') return { severity: 'critical', command: `ponos doctor ${pool} --repair --broken set-aside` };
  return { severity: 'critical', command: null };
}

/** Snapshots are not tolerant: what is of a wrong type was told as a violation. */
async function lookAtPool(
  link: RedisLink,
  pool: string,
): Promise<{ snapshot: PoolSnapshot | undefined; workers: WorkerSnapshot[] }> {
  try {
    return { snapshot: await showPool(link, pool), workers: await listWorkers(link, pool) };
  } catch (error) {
    if (error instanceof WrongTypeError || error instanceof NotFoundError) return { snapshot: undefined, workers: [] };
    throw error;
  }
}

/** Keys of streams and maps, and of the lists of what exists, that hold values of other types. */
async function typeFindings(link: RedisLink, servers: readonly ServerFacts[]): Promise<Finding[]> {
  const { keys } = link;
  const [streams, maps] = [await registered(link, 'streams'), await registered(link, 'maps')];
  const expected: [kind: 'server' | 'stream' | 'map', name: string, key: string, type: string][] = [
    ...(['pools', 'streams', 'maps'] as const).map(
      kind => ['server', link.address, keys.registry(kind), 'set'] as ['server', string, string, string],
    ),
    ...streams.flatMap(name => {
      const { events, meta, sinks, partitions } = keys.stream(name);
      return [
        ['stream', name, partitions, 'hash'],
        ['stream', name, events, 'stream'],
        ['stream', name, meta, 'hash'],
        ['stream', name, sinks, 'hash'],
      ] as ['stream', string, string, string][];
    }),
    ...maps.flatMap(name => {
      const { data, meta } = keys.map(name);
      return [data, meta].map(key => ['map', name, key, 'hash'] as ['map', string, string, string]);
    }),
  ];
  const types = await Promise.all(expected.map(([, , key]) => link.commands.call('TYPE', key)));
  const findings = expected.map(async ([kind, name, key, type], at): Promise<Finding[]> => {
    const found = String(types[at]);
    if (found === 'none' || found === type) return [];
    const message = `${key} is a ${found}, should be a ${type}: another program writes there`;
    // The list of what exists: aside it harms nothing, and who opens something is listed anew.
    const aside = link.isCluster ? null : `${servers[0]?.cli} rename ${key} ${key}:aside`;
    const command = kind === 'server' ? aside : await removalOf(link, kind, name);
    return [{ severity: 'critical', code: 'WRONG_TYPE', subject: { kind, name }, message, command }];
  });
  return (await Promise.all(findings)).flat();
}

/** Where it cannot be seen whether it is a partition, that is a finding of its own; with its remedy it is none any more. */
async function removalOf(link: RedisLink, kind: 'stream' | 'map', name: string): Promise<string> {
  if (kind === 'map') return remedyFor(kind, name);
  const whole = await wholeOf(link, name).catch((error: unknown) => {
    if (!(error instanceof WrongTypeError)) throw error;
  });
  return `ponos stream remove ${whole ?? name}`;
}

async function registered(link: RedisLink, kind: 'pools' | 'streams' | 'maps'): Promise<string[]> {
  try {
    return await namesOf(link, kind);
  } catch (error) {
    if (error instanceof WrongTypeError) return [];
    throw error;
  }
}
