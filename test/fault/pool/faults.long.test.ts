import { describe, expect, it } from 'vitest';
import { playLong } from './scenario.ts';
import { scenarios } from './scenarios/index.ts';

describe('a pool of worker processes under one fault, again and again', () => {
  for (const scenario of scenarios) {
    it(scenario.name, async () => {
      expect(await playLong(scenario)).toBeUndefined();
    });
  }
});
