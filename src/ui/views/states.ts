import { stateText, type Tone, toneOf } from '../../present/state.ts';
import type { Role } from '../paint/theme.ts';
import type { Scene } from '../view.ts';

const ROLES: Record<Tone, Role> = { good: 'ok', busy: 'busy', warn: 'warn', bad: 'bad', muted: 'muted' };

/** A state as a word with a glyph. */
export function showState(state: string, scene: Scene): string {
  return stateText(state, scene.ascii);
}

export function stateRole(state: string): Role {
  return ROLES[toneOf(state)];
}
