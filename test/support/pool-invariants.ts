/** What must hold in a pool, as texts a failing test prints. */
import { checkInvariants } from '../../src/engine/inspect/invariants/invariants.ts';
import { describeViolation } from '../../src/engine/inspect/invariants/violation.ts';
import type { RedisLink } from '../../src/engine/redis/link.ts';

export async function findViolations(link: RedisLink, pool: string): Promise<string[]> {
  const { violations } = await checkInvariants(link, pool);
  // Tests move the logical clock on purpose.
  return violations.filter(({ code }) => code !== 'CLOCK_AHEAD').map(describeViolation);
}
