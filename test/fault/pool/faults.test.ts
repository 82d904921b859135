import { describe, expect, it } from 'vitest';
import { playShort } from './scenario.ts';
import { scenarios } from './scenarios/index.ts';

describe('a pool of worker processes under one fault', () => {
  for (const scenario of scenarios.filter(({ short }) => short)) {
    it(scenario.name, async () => {
      expect(await playShort(scenario)).toBeUndefined();
    }, 120_000);
  }
});
