import { expect, it } from 'vitest';
import type { PoolState } from '../../../src/engine/index.ts';
import { toneOf } from '../../../src/present/state.ts';

it('the states of a pool look as grave as they are', () => {
  const tones: Record<PoolState, string> = {
    OK: 'good',
    IDLE: 'muted',
    DEGRADED: 'warn',
    QUARANTINE: 'bad',
    CLOSED: 'warn',
    'NO WORKERS': 'bad',
    BROKEN: 'bad',
  };
  for (const [state, tone] of Object.entries(tones)) expect(toneOf(state), state).toBe(tone);
});
