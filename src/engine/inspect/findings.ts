/**
 * What is wrong with a fleet, what it means, and the command that acts or looks closer. Pure: the same snapshot gives the
 * same findings, so that the dashboard, `doctor` and a test agree.
 */
import { brokenFinding } from './broken.ts';
import type { FleetSnapshot } from './fleet.ts';
import type {
  Finding,
  FindingSeverity,
  JobSnapshot,
  PoolSnapshot,
  ServerSnapshot,
  StreamSnapshot,
  WorkerSnapshot,
} from './snapshots.ts';

/** From which value on something is worth a person's attention. */
export const findingLimits = {
  queueStalledMs: 30_000,
  jobStuckMs: 30_000,
  lagCount: 1_000,
  oldestPendingMs: 60_000,
  poolFullShare: 0.9,
  memoryShare: 0.9,
} as const;

export type FindingFacts = Pick<
  FleetSnapshot,
  'masters' | 'pools' | 'streams' | 'maps' | 'staleWorkers' | 'unwellWorkers' | 'workers' | 'jobs' | 'stalledMs'
>;

/** Critical first, then by code and subject: an order that does not jump. `nowMs` is wall time. */
export function findProblems(facts: FindingFacts, nowMs: number): Finding[] {
  const findings = [
    ...facts.masters.flatMap(serverFindings),
    ...(facts.pools ?? []).flatMap(pool => poolFindings(pool, facts.stalledMs.get(pool.name) ?? 0)),
    ...facts.staleWorkers.map(staleWorkerFinding),
    ...facts.unwellWorkers.flatMap(unwellWorkerFindings),
    ...jobFindings(facts, nowMs),
    ...(facts.streams ?? []).flatMap(streamFindings),
    ...(facts.maps ?? []).flatMap(({ name, broken }) => (broken === null ? [] : brokenFinding('map', name, broken))),
  ];
  return findings.sort((a, b) => rank(a).localeCompare(rank(b)));
}

function rank(finding: Finding): string {
  return `${finding.severity === 'critical' ? 0 : 1}${finding.code} ${finding.subject.name}`;
}

function serverFindings(server: ServerSnapshot): Finding[] {
  const subject = { kind: 'server', name: server.address } as const;
  const findings: Finding[] = [];
  if (server.evictionPolicy !== 'noeviction') {
    findings.push({
      severity: server.maxMemoryBytes === null ? 'warning' : 'critical',
      code: 'UNSAFE_EVICTION',
      subject,
      message: `eviction policy ${server.evictionPolicy}: Redis may drop jobs and events when memory is full`,
      command: `${server.cli} config set maxmemory-policy noeviction`,
    });
  }
  if (server.persistence === 'none') {
    findings.push({
      severity: 'warning',
      code: 'NO_PERSISTENCE',
      subject,
      message: 'persistence is off: a restart of Redis loses jobs, events and maps',
      command: `${server.cli} config set appendonly yes`,
    });
  }
  if (server.maxMemoryBytes !== null && server.usedMemoryBytes > server.maxMemoryBytes * findingLimits.memoryShare) {
    findings.push({
      severity: 'critical',
      code: 'MEMORY_NEARLY_FULL',
      subject,
      message: `memory ${percent(server.usedMemoryBytes, server.maxMemoryBytes)} full: ${server.usedMemoryBytes > server.maxMemoryBytes ? 'nothing' : 'soon nothing'} new is admitted`,
      command: `${server.cli} info memory`,
    });
  }
  return findings;
}

function poolFindings(pool: PoolSnapshot, stalledMs: number): Finding[] {
  if (pool.broken !== null) return [brokenFinding('pool', pool.name, pool.broken)];
  const subject = { kind: 'pool', name: pool.name } as const;
  const findings: Finding[] = [];
  const add = (severity: FindingSeverity, code: string, message: string, command: string) =>
    findings.push({ severity, code, subject, message, command });
  if (pool.state === 'QUARANTINE') {
    // Critical though it ends by itself: who is told later than this is never told that jobs may be gone.
    add(
      'critical',
      'POOL_QUARANTINED',
      'Redis was restarted, failed over or lost data: running jobs go on, jobs that waited may be lost, nothing new is admitted or moved for one lease',
      `ponos pool events ${pool.name}`,
    );
  }
  if (pool.workerCount === 0 && pool.jobCount > 0) {
    add(
      'critical',
      'POOL_WITHOUT_WORKERS',
      `${count(pool.jobCount, 'job')} and no worker: none of them runs`,
      `ponos worker start HANDLER --pool ${pool.name}`,
    );
  } else if (stalledMs >= findingLimits.queueStalledMs) {
    add(
      'warning',
      'QUEUE_STALLED',
      `${count(pool.queuedCount, 'job')} queued and none started for ${seconds(stalledMs)}: workers full, or jobs not due yet`,
      `ponos job list --pool ${pool.name} --state pending`,
    );
  }
  for (const { group, waitingCount } of pool.unserved) {
    const wait = `${count(waitingCount, 'job')} ${waitingCount === 1 ? 'waits' : 'wait'}`;
    add(
      'critical',
      'GROUP_WITHOUT_WORKERS',
      `group ${group}: ${wait} and no worker takes them`,
      `ponos worker start HANDLER --pool ${pool.name} --group ${group}`,
    );
  }
  if (pool.deadCount > 0) {
    add(
      'warning',
      'DEAD_JOBS',
      `${count(pool.deadCount, 'job')} failed at the last attempt and ${pool.deadCount === 1 ? 'is' : 'are'} kept as dead`,
      `ponos job list --pool ${pool.name} --state dead`,
    );
  }
  if (pool.limit > 0 && pool.jobCount >= pool.limit * findingLimits.poolFullShare) {
    add(
      pool.jobCount >= pool.limit ? 'critical' : 'warning',
      'POOL_NEARLY_FULL',
      `${percent(pool.jobCount, pool.limit)} of its ${pool.limit} jobs: dispatches are refused when it is full`,
      `ponos pool show ${pool.name}`,
    );
  }
  return findings;
}

function staleWorkerFinding(worker: WorkerSnapshot): Finding {
  const held = worker.jobCount > 0 ? `, ${count(worker.jobCount, 'job')} not running until moved` : '';
  return {
    severity: worker.jobCount > 0 ? 'critical' : 'warning',
    code: 'STALE_WORKER',
    subject: { kind: 'worker', name: worker.id, pool: worker.pool },
    message: `lease over for ${seconds(-worker.leaseLeftMs)}: dead, cut off or blocked${held}`,
    command: `ponos worker show ${worker.id} --pool ${worker.pool}`,
  };
}

function unwellWorkerFindings({ id, pool, zombieCount, lagging, lagMs }: WorkerSnapshot): Finding[] {
  const about = {
    severity: 'warning',
    subject: { kind: 'worker', name: id, pool },
    command: `ponos worker show ${id} --pool ${pool}`,
  } as const;
  const findings: Finding[] = [];
  if (zombieCount > 0) {
    const message = `${count(zombieCount, 'handler')} at work that did not stop on the signal in time; restart the worker, or run it with --isolate`;
    findings.push({ ...about, code: 'ZOMBIE_HANDLERS', message });
  }
  if (lagging) {
    const message = `its event loop runs ${lagMs} ms late: something blocks it, which puts the lease of all its jobs at risk`;
    findings.push({ ...about, code: 'EVENT_LOOP_LAG', message });
  }
  return findings;
}

/** Of the pool looked at alone: for others the keys are not read. */
function jobFindings({ jobs, workers }: FindingFacts, nowMs: number): Finding[] {
  if (!jobs) return [];
  const findings: Finding[] = [];
  const known = workers.get(jobs.pool);
  const ids = known && new Set(known.map(worker => worker.id));
  const orphans = ids ? jobs.keys.filter(job => job.worker !== null && !ids.has(job.worker)) : [];
  const [first] = orphans;
  if (first) {
    findings.push({
      severity: 'critical',
      code: 'ORPHANED_JOB',
      subject: { kind: 'job', name: first.key, pool: jobs.pool },
      message: `${count(orphans.length, 'job')} recorded to a worker that is gone: waits to be moved`,
      command: `ponos pool show ${jobs.pool}`,
    });
  }
  for (const job of jobs.records.values()) {
    const stuckMs = nowMs - (jobs.sinceMs.get(job.key) ?? nowMs);
    if (inTransition(job) && stuckMs >= findingLimits.jobStuckMs) {
      findings.push({
        severity: 'warning',
        code: 'STUCK_JOB',
        subject: { kind: 'job', name: job.key, pool: job.pool },
        message: `${job.state} for ${seconds(stuckMs)}: its handler neither ${job.state === 'STOPPING' ? 'stops' : 'starts'} nor fails`,
        command: job.worker === null ? null : `ponos worker show ${job.worker} --pool ${job.pool}`,
      });
    }
  }
  return findings;
}

function inTransition(job: JobSnapshot): boolean {
  return job.state === 'ASSIGNED' || job.state === 'STOPPING';
}

function streamFindings(stream: StreamSnapshot): Finding[] {
  if (stream.broken !== null) return [brokenFinding('stream', stream.name, stream.broken)];
  const subject = { kind: 'stream', name: stream.name } as const;
  const findings: Finding[] = [];
  const lag = stream.maxLag.count ?? 0;
  if (lag >= findingLimits.lagCount || (stream.oldestPendingMs ?? 0) >= findingLimits.oldestPendingMs) {
    const behind = lag > 0 ? `${stream.maxLag.exact ? '' : '~'}${lag} events behind` : 'events taken but not finished';
    const oldest = stream.oldestPendingMs === null ? '' : `, oldest pending ${seconds(stream.oldestPendingMs)}`;
    findings.push({
      severity: 'warning',
      code: 'SINK_BEHIND',
      subject,
      message: `a sink is ${behind}${oldest}: add consumers or look for a slow handler`,
      command: `ponos sink list ${stream.name}`,
    });
  }
  for (const { sink, attendedAtMs } of stream.abandoned) {
    const since = new Date(attendedAtMs).toISOString().slice(0, 10);
    findings.push({
      severity: 'warning',
      code: 'SINK_ABANDONED',
      subject,
      message: `sink "${sink}" has had no consumer since ${since} and keeps its events from being removed`,
      command: `ponos sink remove ${stream.name} ${sink}`,
    });
  }
  if (stream.deadCount > 0) {
    findings.push({
      severity: 'warning',
      code: 'DEAD_LETTERS',
      subject,
      message: `${count(stream.deadCount, 'event')} in dead letters: handlers gave up on ${stream.deadCount === 1 ? 'it' : 'them'}`,
      command: `ponos sink list ${stream.name}`,
    });
  }
  return findings;
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

function percent(part: number, whole: number): string {
  return `${Math.floor((part / whole) * 100)} %`;
}

function seconds(ms: number): string {
  const whole = Math.max(0, Math.round(ms / 1000));
  return whole < 120 ? `${whole} s` : `${Math.round(whole / 60)} min`;
}
