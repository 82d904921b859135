import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordFigures } from '../../report.ts';
import { playLong } from '../scenario.ts';
import { makeLater } from './later.ts';
import { findOlder, type Release, Releases } from './releases.ts';
import { upgradeScenario } from './scenario.ts';

const NOTHING = { code: 0, says: /nothing: pool "faults" speaks version 1/ };
const KEPT_BACK = { code: 4, says: /cannot speak version 2 .* do not/ };
const FROM_1_TO_2 = { code: 0, says: /raise pool "faults" from version 1 .* to 2/ };
const PACKING_LIMIT_MS = 300_000;

describe('two packed releases in one pool', () => {
  let releases: Releases;
  let present: Release;

  beforeAll(async () => {
    releases = await Releases.open();
    present = await releases.present('this release');
  }, PACKING_LIMIT_MS);
  afterAll(() => releases?.remove());

  it('a rolling upgrade from the release before, and the way back, lose nothing and run nothing twice', async context => {
    const older = await findOlder();
    if ('missing' in older) {
      recordFigures({ fault: `not run: ${older.missing}`, runs: 0, overlaps: 0, lost: 0, worstGapMs: null, seed: '' });
      return context.skip(older.missing);
    }
    const from = await releases.older(older.ref);
    const raise = { mixed: NOTHING, whole: NOTHING };
    const scenario = upgradeScenario({ name: context.task.name, from, to: present, raise });
    expect(await playLong(scenario)).toBeUndefined();
  });

  it('what a later release adds is ignored by this one, in a rolling upgrade and on the way back', async ({ task }) => {
    const later = await releases.present('a later one', makeLater);
    const raise = { mixed: KEPT_BACK, whole: FROM_1_TO_2 };
    const scenario = upgradeScenario({ name: task.name, from: present, to: later, raise, added: [1, 100_000] });
    expect(await playLong(scenario)).toBeUndefined();
  });
});
