import { describe, expect, it } from 'vitest';
import { PonosError } from '../../../src/engine/core/errors.ts';
import { PoolClient } from '../../../src/engine/pool/client.ts';
import { useRedis } from '../../support/fixture.ts';
import { recordFigures, runCount } from '../report.ts';

const LIMIT = 1000;
const CONNECTIONS = 50;
const EACH = 40;
const FREED = 10;

describe('the limit of a pool', () => {
  const redis = useRedis();

  it('is exact under dispatches from fifty connections', async () => {
    const runs = runCount(20);
    const clients: PoolClient[] = [];
    const links = await Promise.all(Array.from({ length: CONNECTIONS }, () => redis.connect()));
    const counts: Record<string, number>[] = [];
    for (let run = 0; run < runs; run++) {
      const pool = `full-${run}`;
      clients.push(
        ...(await Promise.all(links.map(link => PoolClient.open(link, pool, { create: true, limit: LIMIT })))),
      );
      const dispatchAll = async (name: string) => {
        const answers = await Promise.all(
          clients.flatMap((client, at) =>
            Array.from({ length: EACH }, (_, n) =>
              client.dispatch(`${name}-${at}-${n}`).then(
                () => 'accepted',
                (error: unknown) => (error instanceof PonosError ? error.code : String(error)),
              ),
            ),
          ),
        );
        return Object.fromEntries([...Map.groupBy(answers, of => of)].map(([of, all]) => [of, all.length]));
      };
      counts.push(await dispatchAll('first'));
      // None waits long: nobody runs them.
      const [client] = clients as [PoolClient];
      let freed = 0;
      for (let at = 0; freed < FREED && at < CONNECTIONS; at++) {
        for (let n = 0; freed < FREED && n < EACH; n++) {
          freed += await client.stop(`first-${at}-${n}`).then(
            () => 1,
            () => 0,
          );
        }
      }
      counts.push(await dispatchAll('second'));
      await Promise.all(clients.splice(0).map(one => one.close()));
    }
    const total = CONNECTIONS * EACH;
    const expected = [
      { accepted: LIMIT, POOL_FULL: total - LIMIT },
      { accepted: FREED, POOL_FULL: total - FREED },
    ];
    const exact = counts.filter((count, at) => count.accepted === expected[at % 2]?.accepted).length;
    recordFigures({
      test: 'the limit of a pool is exact',
      fault: `${total} dispatches at once over ${CONNECTIONS} connections, room for ${LIMIT}; then again with room for ${FREED}`,
      runs,
      overlaps: 0,
      lost: 0,
      worstGapMs: null,
      seed: '',
      more: { 'times exact': `${exact} of ${counts.length}` },
    });
    for (const [at, count] of counts.entries()) expect(count).toEqual(expected[at % 2]);
  });
});
