/** What `ponos doctor` does beside looking: its plan, the repair, a closing sentence. */
import { type BrokenPolicy, type Diagnosis, type RedisLink, type RepairReport, repairPool } from '../engine/index.ts';
import { formatCount } from '../present/human.ts';
import type { Output } from './output.ts';

export interface RepairPlan {
  text: string;
  pools: string[];
}

/** What a repair would do about what was found. */
export function planRepair({ pools }: Diagnosis, broken: BrokenPolicy): RepairPlan {
  const count = (remedy: 'derived' | 'broken') =>
    pools.reduce((sum, { violations }) => sum + violations.filter(each => each.remedy === remedy).length, 0);
  const [derived, left] = [count('derived'), broken === 'keep' ? 0 : count('broken')];
  const names = pools
    .filter(({ violations }) =>
      violations.some(({ remedy }) => remedy === 'derived' || (remedy === 'broken' && broken !== 'keep')),
    )
    .map(({ pool }) => pool);
  const what = [
    ...(derived > 0 ? [`repair ${formatCount(derived, 'contradiction')}`] : []),
    ...(left > 0 ? [`${broken === 'delete' ? 'delete' : 'set aside'} ${formatCount(left, 'broken key')}`] : []),
  ].join(' and ');
  if (names.length === 0) return { text: 'do nothing: there is nothing to repair', pools: [] };
  return { text: `${what} of ${names.map(name => `pool "${name}"`).join(', ')}`, pools: names };
}

export async function repairPools(
  link: RedisLink,
  pools: readonly string[],
  broken: BrokenPolicy,
  output: Output,
): Promise<Pick<RepairReport, 'pool' | 'repairedCount' | 'repaired' | 'removed'>[]> {
  const done: Pick<RepairReport, 'pool' | 'repairedCount' | 'repaired' | 'removed'>[] = [];
  for (const name of pools) {
    const { pool, repairedCount, repaired, removed } = await repairPool(link, name, { broken });
    done.push({ pool, repairedCount, repaired, removed });
    await output.note(`pool "${pool}": repaired ${repairedCount}`);
    const verb = broken === 'delete' ? 'deleted' : 'set aside';
    for (const key of removed) await output.note(`pool "${pool}": ${verb} ${key}`);
  }
  return done;
}

export async function tellSummary({ healthy, findings, server, pools }: Diagnosis, output: Output): Promise<void> {
  const jobs = pools.reduce((sum, { jobCount }) => sum + jobCount, 0);
  const looked = `Redis ${server.version} at ${server.address}: ${formatCount(pools.length, 'pool')}, ${formatCount(jobs, 'job')}`;
  const result =
    findings.length === 0
      ? 'nothing wrong'
      : `${formatCount(findings.length, 'finding')}${healthy ? ', none critical' : ''}`;
  await output.note(`${looked}, ${result}`);
}
