import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../../src/engine/core/ids.ts';
import { Load } from '../../support/load.ts';
import { untilReplicated } from '../../support/topology/commands.ts';
import { Sentinels } from '../../support/topology/sentinels.ts';
import { until } from '../../support/until.ts';

describe('maps and streams behind sentinels', () => {
  let sentinels: Sentinels;
  let load: Load;
  beforeAll(async () => {
    sentinels = await Sentinels.start();
  });
  afterAll(() => sentinels.stop());
  beforeEach(async () => {
    load = await Load.start({ url: sentinels.url, prefix: `t-${newId()}`, map: 'm', streams: ['s0', 's1', 's2'] });
  });
  afterEach(() => load.abandon());

  it('go on at the replica that an operator put in the place of its master', async () => {
    await load.untilMore();
    const before = await sentinels.master();
    await sentinels.failover();
    await load.untilMore();
    // The next test needs a replica; this one loses its connections once more when it becomes that.
    const follows = async () => untilReplicated(await sentinels.master(), before);
    await until(
      () =>
        follows().then(
          () => true,
          () => false,
        ),
      'the old master to follow',
    );
    const evidence = await load.finish();
    expect(evidence).toMatchObject({ doubled: 0, unhandled: 0, unread: 0, divergent: 0, failedWrites: 0 });
  });

  it('go on at the replica when their master dies', async () => {
    await load.untilMore();
    await sentinels.killMaster();
    await load.untilMore();
    const evidence = await load.finish();
    expect(evidence).toMatchObject({ doubled: 0, unhandled: 0, unread: 0, divergent: 0, failedWrites: 0 });
  });
});
