import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The long fault tests are named *.long.test.ts; `npm run test:faults` runs them. */
const long = process.env.PONOS_TEST_LONG === '1';

/** The fault tests take longest; begun last, they would run alone while a processor idles. */
class FaultsFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isFault = ({ moduleId }: TestSpecification) => moduleId.includes('/test/fault/');
    const sorted = await super.sort(files);
    return [...sorted.filter(isFault), ...sorted.filter(file => !isFault(file))];
  }
}

export default defineConfig({
  test: {
    include: long ? ['test/**/*.long.test.ts'] : ['test/**/*.test.{ts,tsx}'],
    exclude: long ? [] : ['test/**/*.long.test.ts'],
    pool: 'forks',
    // What is measured under a fault shall not be what another test takes from it.
    maxWorkers: long ? 1 : 2,
    sequence: { sequencer: FaultsFirst },
    testTimeout: long ? 1_800_000 : 30_000,
    hookTimeout: 30_000,
    teardownTimeout: 10_000,
    expect: { requireAssertions: true },
    globalSetup: ['test/support/global-setup.ts'],
  },
});
