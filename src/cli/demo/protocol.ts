/** What the demonstration's processes say to each other: names, and the shapes of events. */
import type { Reading } from './sources.ts';

export const POOL = 'demo';
export const SETTINGS = 'demo-settings';
export const INTERVAL_KEY = 'interval-ms';
export const DEFAULT_INTERVAL_MS = 1000;
export const READINGS = 'demo-readings';
export const LATEST = 'demo-latest';
export const SINK = 'fold';

export interface ReadingEvent {
  key: string;
  pid: number;
  token: number;
  /** Counts the readings of one key under one token, from 1. */
  sequence: number;
  atMs: number;
  /** null: the source is gone. */
  values: Reading | null;
}

export interface IntervalSeen {
  pid: number;
  intervalMs: number;
  atMs: number;
}

/** Wall time with a fraction, the same in every process of this host. */
export function preciseNowMs(): number {
  return performance.timeOrigin + performance.now();
}
