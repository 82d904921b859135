import { describe, expect, it } from 'vitest';
import { useRedis } from '../support/fixture.ts';
import { poolCli, SERVICE_HANDLER } from '../support/pool-cli.ts';

interface Report {
  item: {
    healthy: boolean;
    findings: { code: string; severity: string; command: string | null }[];
    pools: { pool: string; jobCount: number; violations: { code: string; job: string | null }[] }[];
    repairs: { pool: string; repairedCount: number; removed: string[] }[] | null;
  };
}

describe('ponos doctor', () => {
  const redis = useRedis();
  const { run, start, worker, file } = poolCli(redis);
  const report = async (...args: string[]) => {
    const { stdout, code } = await run(['doctor', '--json', ...args]);
    return { code, ...(JSON.parse(stdout) as Report).item };
  };
  /** A pool with two jobs that run. */
  const fill = async () => {
    await worker([file('service.js', SERVICE_HANDLER)]);
    await run(['job', 'dispatch', 'a', '--wait', 'started']);
    await run(['job', 'dispatch', 'b', '--wait', 'started']);
    const link = await redis.connect();
    return { link, keys: link.keys.pool('default') };
  };

  it('finds nothing critical where nothing is wrong: exit 0', async () => {
    await fill();
    const { code, healthy, pools, repairs } = await report();
    expect({ code, healthy, repairs }).toEqual({ code: 0, healthy: true, repairs: null });
    expect(pools).toMatchObject([{ pool: 'default', jobCount: 2, violations: [] }]);
    const told = await run(['doctor']);
    expect(told.stderr).toMatch(/1 pool, 2 jobs/);
    // The servers of tests keep nothing on disk.
    expect(told.stdout).toMatch(/NO_PERSISTENCE +▲ WARNING/);
  });

  it('tells what contradicts the job records, repairs it on request, and never unasked', async () => {
    const { link, keys } = await fill();
    await link.commands.call('HSET', keys.config, 'count', 7);
    await link.commands.call('SADD', keys.owned('nobody'), 'ghost');
    const found = await run(['doctor', 'default']);
    expect(found.code).toBe(1);
    expect(found.stdout).toMatch(/COUNT_DIFFERS +✖ CRITICAL +pool default +.*is count 7, should be count/);
    expect(found.stdout).toContain('ponos doctor default --repair');
    expect(await run(['doctor', '--repair'])).toMatchObject({ code: 8, stdout: '' });
    const plan = await run(['doctor', '--repair', '--dry-run']);
    expect(plan).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/repair \d contradictions of pool "default"/),
    });
    expect((await report()).code).toBe(1);
    const repaired = await report('--repair', '--yes');
    expect(repaired).toMatchObject({ code: 0, healthy: true, repairs: [{ pool: 'default', removed: [] }] });
    expect(repaired.repairs?.[0]?.repairedCount).toBeGreaterThan(0);
    expect((await run(['job', 'list', '--state', 'running', '-o', 'name'])).stdout).toBe('a\nb\n');
  });

  it('leaves a broken key unless told what to do with it', async () => {
    const { link, keys } = await fill();
    await link.commands.call('SET', keys.job('c'), 'foreign');
    const kept = await report('--repair', '--yes');
    expect(kept).toMatchObject({ code: 1, repairs: null });
    expect(kept.findings).toContainEqual(
      expect.objectContaining({ code: 'WRONG_TYPE', command: 'ponos doctor default --repair --broken set-aside' }),
    );
    const aside = await report('--repair', '--broken', 'set-aside', '--yes');
    expect(aside).toMatchObject({ code: 0, repairs: [{ removed: [keys.job('c')] }] });
    expect(aside.findings).toContainEqual(expect.objectContaining({ code: 'SET_ASIDE', severity: 'warning' }));
  });

  it('finds other types under streams and maps, and an unsafe server', async () => {
    await run(['stream', 'publish', 's', 'e', 'x']);
    await run(['map', 'set', 'm', 'k', 'v']);
    const link = await redis.connect();
    for (const key of [link.keys.stream('s').meta, link.keys.map('m').data]) {
      await link.commands.call('DEL', key);
      await link.commands.call('SET', key, 'foreign');
    }
    await link.commands.call('CONFIG', 'SET', 'maxmemory', '1gb', 'maxmemory-policy', 'allkeys-lru');
    try {
      const { code, findings } = await report();
      expect(code).toBe(1);
      expect(findings.filter(finding => finding.code === 'WRONG_TYPE')).toHaveLength(2);
      expect(findings).toContainEqual(expect.objectContaining({ code: 'UNSAFE_EVICTION', severity: 'critical' }));
    } finally {
      await link.commands.call('CONFIG', 'SET', 'maxmemory', '0', 'maxmemory-policy', 'noeviction');
    }
  });

  it('says what stops it: no such pool 3, read-only 8, no Redis 5', async () => {
    expect(await run(['doctor', 'absent'])).toMatchObject({ code: 3, stdout: '' });
    expect(await run(['doctor', '--repair', '--read-only'])).toMatchObject({ code: 8, stdout: '' });
    expect(await run(['doctor', '--redis', 'redis://127.0.0.1:1'])).toMatchObject({ code: 5, stdout: '' });
    expect((await start(['doctor', '--broken', 'delete']).result).code).toBe(2);
  });

  it('prints what it finds without what could harm a terminal', async () => {
    const { link, keys } = await fill();
    await link.commands.call('SADD', keys.owned('nobody'), 'gh\u001b[31most');
    const told = await run(['doctor', '--color', 'always'], { env: { COLUMNS: '200' } });
    expect(told.stdout).toContain('NO_RECORD');
    expect(`${told.stdout}${told.stderr}`).not.toContain('\u001b[31most');
  });
});
