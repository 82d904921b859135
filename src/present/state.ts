/** A state is always a word with a glyph, never colour alone. */

export type Tone = 'good' | 'busy' | 'warn' | 'bad' | 'muted';

const GLYPHS: Record<Tone, string> = { good: '●', busy: '◐', warn: '▲', bad: '✖', muted: '■' };
const ASCII_GLYPHS: Record<Tone, string> = { good: '+', busy: '~', warn: '!', bad: 'x', muted: '-' };

const TONES: Record<string, Tone> = {
  OK: 'good',
  ALIVE: 'good',
  RUNNING: 'good',
  ACTIVE: 'good',
  PENDING: 'busy',
  ASSIGNED: 'busy',
  STOPPING: 'busy',
  DRAINING: 'busy',
  STALE: 'warn',
  DEGRADED: 'warn',
  FAILING: 'warn',
  DEAD: 'bad',
  WARNING: 'warn',
  CRITICAL: 'bad',
  BROKEN: 'bad',
  QUARANTINE: 'bad',
  'NO WORKERS': 'bad',
  CLOSED: 'warn',
  IDLE: 'muted',
  PAUSED: 'muted',
  STOPPED: 'muted',
};

export function toneOf(state: string): Tone {
  return TONES[state] ?? 'muted';
}

export function stateText(state: string, ascii: boolean): string {
  return `${(ascii ? ASCII_GLYPHS : GLYPHS)[toneOf(state)]} ${state}`;
}
