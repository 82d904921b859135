import { describe, expect, it } from 'vitest';
import { findingLimits, findProblems } from '../../../src/engine/inspect/findings.ts';
import { EMPTY_FLEET, type FleetSnapshot } from '../../../src/engine/inspect/fleet.ts';
import { redisCli } from '../../../src/engine/inspect/redis-cli.ts';
import type { ServerSnapshot } from '../../../src/engine/inspect/snapshots.ts';
import { fleet, jobRecord, NOW_MS, pool, stream, worker } from '../../ui/fixtures.ts';

const healthy: FleetSnapshot = {
  ...EMPTY_FLEET,
  masters: fleet.masters,
  pools: [pool('video')],
  streams: [stream('readings')],
};

const codes = (changes: Partial<FleetSnapshot>) =>
  findProblems({ ...healthy, ...changes }, NOW_MS).map(({ severity, code }) => `${severity} ${code}`);

describe('the findings', () => {
  it('are none for a healthy fleet, and for one that was not read yet', () => {
    expect(codes({})).toEqual([]);
    expect(findProblems(EMPTY_FLEET, NOW_MS)).toEqual([]);
  });

  it('tell of a pool whose jobs nobody runs, but not of an empty one', () => {
    expect(codes({ pools: [pool('a', { workerCount: 0, jobCount: 17 })] })).toEqual(['critical POOL_WITHOUT_WORKERS']);
    expect(codes({ pools: [pool('a', { workerCount: 0, jobCount: 0 })] })).toEqual([]);
  });

  it('tell of a pool that waits until its workers have said what they run', () => {
    expect(codes({ pools: [pool('a', { state: 'QUARANTINE' })] })).toEqual(['critical POOL_QUARANTINED']);
  });

  it('tell of a queue that stands still, of dead jobs, of a pool nearly full', () => {
    expect(codes({ stalledMs: new Map([['video', findingLimits.queueStalledMs]]) })).toEqual(['warning QUEUE_STALLED']);
    expect(codes({ pools: [pool('a', { deadCount: 2 })] })).toEqual(['warning DEAD_JOBS']);
    expect(codes({ pools: [pool('a', { jobCount: 90, limit: 100 })] })).toEqual(['warning POOL_NEARLY_FULL']);
    expect(codes({ pools: [pool('a', { jobCount: 100, limit: 100 })] })).toEqual(['critical POOL_NEARLY_FULL']);
  });

  it('tell of a stale worker, the more so when it holds jobs', () => {
    const stale = (jobCount: number) => [worker('w-03', { state: 'STALE', leaseLeftMs: -41_000, jobCount })];
    expect(codes({ staleWorkers: stale(68) })).toEqual(['critical STALE_WORKER']);
    expect(codes({ staleWorkers: stale(0) })).toEqual(['warning STALE_WORKER']);
    const [finding] = findProblems({ ...healthy, staleWorkers: stale(68) }, NOW_MS);
    expect(finding).toMatchObject({
      subject: { kind: 'worker', name: 'w-03', pool: 'video' },
      message: 'lease over for 41 s: dead, cut off or blocked, 68 jobs not running until moved',
      command: 'ponos worker show w-03 --pool video',
    });
  });

  it('say whether memory is full or soon will be', () => {
    const message = (usedMemoryBytes: number) => {
      const masters = [{ ...fleet.server!, usedMemoryBytes, maxMemoryBytes: 1000 }];
      return findProblems({ ...healthy, masters }, NOW_MS)[0]?.message;
    };
    expect(message(950)).toMatch(/full: soon nothing new is admitted$/);
    expect(message(1200)).toMatch(/full: nothing new is admitted$/);
  });

  it('tell of a worker whose handlers do not stop, or block', () => {
    const unwellWorkers = [worker('w-03', { zombieCount: 1, lagMs: 480, lagging: true })];
    expect(codes({ unwellWorkers })).toEqual(['warning EVENT_LOOP_LAG', 'warning ZOMBIE_HANDLERS']);
    const [lag, zombies] = findProblems({ ...healthy, unwellWorkers }, NOW_MS);
    expect(lag?.message).toContain('runs 480 ms late');
    expect(zombies).toMatchObject({
      subject: { kind: 'worker', name: 'w-03', pool: 'video' },
      message: expect.stringContaining('1 handler at work that did not stop'),
      command: 'ponos worker show w-03 --pool video',
    });
  });

  it('tell of jobs without a worker and of jobs stuck on their way', () => {
    const jobs = (changes: Parameters<typeof jobRecord>[1], sinceMs: number): FleetSnapshot['jobs'] => ({
      pool: 'video',
      keys: [{ key: 'k', worker: 'w-01' }],
      records: new Map([['k', jobRecord('k', changes)]]),
      sinceMs: new Map([['k', NOW_MS - sinceMs]]),
    });
    const workers = new Map([['video', [worker('w-01')]]]);
    expect(codes({ workers, jobs: jobs({ state: 'ASSIGNED' }, 31_000) })).toEqual(['warning STUCK_JOB']);
    expect(codes({ workers, jobs: jobs({ state: 'STOPPING' }, 31_000) })).toEqual(['warning STUCK_JOB']);
    expect(codes({ workers, jobs: jobs({ state: 'ASSIGNED' }, 29_000) })).toEqual([]);
    expect(codes({ workers, jobs: jobs({ state: 'RUNNING' }, 99_000) })).toEqual([]);
    expect(codes({ workers: new Map([['video', []]]), jobs: jobs({}, 0) })).toEqual(['critical ORPHANED_JOB']);
  });

  it('tell of a sink that falls behind and of dead letters', () => {
    expect(codes({ streams: [stream('s', { maxLag: { count: 1000, exact: true } })] })).toEqual([
      'warning SINK_BEHIND',
    ]);
    expect(codes({ streams: [stream('s', { oldestPendingMs: 60_000 })] })).toEqual(['warning SINK_BEHIND']);
    expect(codes({ streams: [stream('s', { maxLag: { count: null, exact: false } })] })).toEqual([]);
    expect(codes({ streams: [stream('s', { deadCount: 1 })] })).toEqual(['warning DEAD_LETTERS']);
    expect(codes({ streams: [stream('s', { abandoned: [{ sink: 'k', attendedAtMs: 0 }] })] })).toEqual([
      'warning SINK_ABANDONED',
    ]);
  });

  it('tell of a Redis that may lose what it holds', () => {
    const server = (changes: Partial<ServerSnapshot>) => ({ masters: [{ ...fleet.server!, ...changes }] });
    expect(codes(server({ evictionPolicy: 'allkeys-lru' }))).toEqual(['critical UNSAFE_EVICTION']);
    expect(codes(server({ evictionPolicy: 'allkeys-lru', maxMemoryBytes: null }))).toEqual(['warning UNSAFE_EVICTION']);
    expect(codes(server({ persistence: 'none' }))).toEqual(['warning NO_PERSISTENCE']);
    expect(codes(server({ usedMemoryBytes: 95, maxMemoryBytes: 100 }))).toEqual(['critical MEMORY_NEARLY_FULL']);
  });

  it('name the master of a cluster it is about, also in the command', () => {
    const master = (port: number, changes: Partial<ServerSnapshot> = {}): ServerSnapshot => {
      const cli = redisCli('redis+cluster://10.0.0.1:7001', { host: '10.0.0.1', port });
      return { ...fleet.server!, address: `10.0.0.1:${port}`, cli, ...changes };
    };
    const masters = [master(7001), master(7002, { evictionPolicy: 'allkeys-lru' }), master(7003)];
    expect(findProblems({ ...healthy, masters }, NOW_MS)).toMatchObject([
      {
        code: 'UNSAFE_EVICTION',
        subject: { kind: 'server', name: '10.0.0.1:7002' },
        command: 'redis-cli -h 10.0.0.1 -p 7002 config set maxmemory-policy noeviction',
      },
    ]);
  });

  it('reach the server by the form of its address, without what is secret', () => {
    expect(redisCli('redis://***@example.org:7000/3')).toBe('redis-cli -h example.org -p 7000');
    expect(redisCli('rediss+cluster://a,b', { host: '::1', port: 7001 })).toBe('redis-cli -h ::1 -p 7001 --tls');
    expect(redisCli("unix:///tmp/it's.sock")).toBe("redis-cli -s '/tmp/it'\\''s.sock'");
    expect(redisCli('redis+sentinel://a:26379/main')).toBe('redis-cli -h HOST -p PORT');
  });

  it('come critical first, and each with what it means', () => {
    const found = findProblems(
      {
        ...healthy,
        pools: [pool('b', { deadCount: 1 }), pool('a', { workerCount: 0 }), pool('c', { workerCount: 0 })],
      },
      NOW_MS,
    );
    expect(found.map(({ code, subject }) => `${code} ${subject.name}`)).toEqual([
      'POOL_WITHOUT_WORKERS a',
      'POOL_WITHOUT_WORKERS c',
      'DEAD_JOBS b',
    ]);
    for (const { message } of found) expect(message.length).toBeGreaterThan(20);
  });
});
