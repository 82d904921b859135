/** Durations, sizes and times as people write and read them. */
import { OptionError } from '../engine/index.ts';

const UNIT_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const UNIT_BYTES: Record<string, number> = {
  '': 1,
  b: 1,
  k: 1024,
  kb: 1000,
  kib: 1024,
  m: 1024 ** 2,
  mb: 1000 ** 2,
  mib: 1024 ** 2,
  g: 1024 ** 3,
  gb: 1000 ** 3,
  gib: 1024 ** 3,
};

/** `870ms`, `12s`, `3m 5s`, `2h 10m`, `4d 6h`: at most two units. */
export function formatDuration(ms: number): string {
  if (ms < 0) return `-${formatDuration(-ms)}`;
  if (ms < 1000) return `${ms < 10 && !Number.isInteger(ms) ? ms.toFixed(1) : Math.round(ms)}ms`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds}s`;
  const pair = (large: number, largeUnit: string, small: number, smallUnit: string) =>
    small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit} ${small}${smallUnit}`;
  if (seconds < 3600) return pair(Math.floor(seconds / 60), 'm', seconds % 60, 's');
  if (seconds < 86_400) return pair(Math.floor(seconds / 3600), 'h', Math.floor((seconds % 3600) / 60), 'm');
  return pair(Math.floor(seconds / 86_400), 'd', Math.floor((seconds % 86_400) / 3600), 'h');
}

/** Time since `atMs`, in one unit: `12s`, `3m`, `2h`, `4d`. A time to come counts as now. */
export function formatAge(atMs: number, nowMs: number): string {
  const seconds = Math.max(0, Math.floor((nowMs - atMs) / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
}

/** `512 B`, `1.2 KiB`, `64 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let size = bytes;
  let unit = 0;
  while (size >= 1023.95 && unit < units.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${unit === 0 || Number.isInteger(size) ? size : size.toFixed(1)} ${units[unit]}`;
}

/** `1 event`, `12 events`: for nouns that take an s. */
export function formatCount(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}

/** RFC 3339 in UTC, to the millisecond. */
export function formatTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** `2026-03-29 03:00:00 Europe/Paris`: as a clock there shows it; without a zone, one that stands here. */
export function formatZonedTime(ms: number, timeZone?: string): string {
  const format = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium', timeZone });
  return `${format.format(ms)} ${format.resolvedOptions().timeZone}`;
}

/**
 * A time as RFC 3339, with its offset: `2026-03-29T03:00:00+02:00`, `2026-03-29T01:00:00Z`.
 * @throws OptionError on anything else.
 */
export function parseTime(text: string): number {
  const rfc3339 = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/i;
  const ms = rfc3339.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) {
    throw new OptionError('not a time', { hint: 'Write times as 2026-03-29T03:00:00+02:00 or 2026-03-29T01:00:00Z.' });
  }
  return ms;
}

/** What {@link parseDuration} takes, for help and errors. */
export const DURATION_FORMS = '500ms, 90s, 5m, 1h30m or 2d; a bare number is seconds';

/** @throws OptionError on what is none of {@link DURATION_FORMS}. */
export function parseDuration(text: string): number {
  const compact = text.trim().toLowerCase().replaceAll(' ', '');
  if (/^\d+(\.\d+)?$/.test(compact)) return Math.round(Number(compact) * 1000);
  const parts = [...compact.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdw])/g)];
  if (parts.length === 0 || parts.map(part => part[0]).join('') !== compact) {
    throw new OptionError('not a duration', { hint: `Write durations as ${DURATION_FORMS}.` });
  }
  return Math.round(parts.reduce((sum, [, count, unit]) => sum + Number(count) * (UNIT_MS[unit as string] ?? 0), 0));
}

/**
 * `512`, `64k`, `10MiB`, `1.5g`. `k`, `m`, `g` are powers of 1024; `kb`, `mb`, `gb` of 1000.
 * @throws OptionError on anything else.
 */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/.exec(text.trim().toLowerCase());
  const unit = match && UNIT_BYTES[match[2] ?? ''];
  if (!match || !unit) throw new OptionError('not a size', { hint: 'Write sizes as 512, 64k or 10MiB.' });
  return Math.round(Number(match[1]) * unit);
}
