/** Numbers and times in few cells. All take plain numbers and never give more than seven characters. */

/** `18s`, `2m05s`, `1h02m`, `3d04h`. */
export function formatDuration(ms: number): string {
  const total = Math.max(0, Math.floor(ms / 1000));
  if (total < 60) return `${total}s`;
  const two = (n: number) => String(n).padStart(2, '0');
  if (total < 3600) return `${Math.floor(total / 60)}m${two(total % 60)}s`;
  if (total < 86_400) return `${Math.floor(total / 3600)}h${two(Math.floor((total % 3600) / 60))}m`;
  const days = Math.floor(total / 86_400);
  return days < 100 ? `${days}d${two(Math.floor((total % 86_400) / 3600))}h` : `${days}d`;
}

/** `812`, `12,804`, `1.2M`. */
export function formatCount(n: number): string {
  if (Math.abs(n) < 1_000_000) return String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ',');
  return scaled(n, 1000, ['', 'k', 'M', 'G', 'T', 'P']);
}

/** `340B`, `1.2K`, `10M`. */
export function formatBytes(bytes: number): string {
  return bytes < 1024 ? `${bytes}B` : scaled(bytes, 1024, ['B', 'K', 'M', 'G', 'T', 'P']);
}

/** A rate per second: `0.0`, `14.2`, `1.2k`. */
export function formatRate(perSecond: number | null): string {
  if (perSecond === null) return '-';
  if (perSecond < 1000) return perSecond < 100 ? perSecond.toFixed(1) : String(Math.round(perSecond));
  return scaled(perSecond, 1000, ['', 'k', 'M', 'G']);
}

/** `0.4ms`, `12ms`, `1.2s`. */
export function formatLatency(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)}ms`;
  return ms < 1000 ? `${Math.round(ms)}ms` : `${(ms / 1000).toFixed(1)}s`;
}

/** Local time of day, `12:01:33`. */
export function formatTimeOfDay(wallMs: number): string {
  const at = new Date(wallMs);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map(n => String(n).padStart(2, '0')).join(':');
}

/** A moment with its age, for details: `2026-11-23 12:01:33Z (3m05s ago)`. */
export function formatMoment(wallMs: number, nowMs: number): string {
  const iso = new Date(wallMs).toISOString().replace('T', ' ').slice(0, 19);
  return `${iso}Z (${formatDuration(nowMs - wallMs)} ago)`;
}

function scaled(n: number, step: number, units: readonly string[]): string {
  let value = n;
  let unit = 0;
  while (Math.abs(value) >= step && unit < units.length - 1) {
    value /= step;
    unit++;
  }
  const digits = Math.abs(value) < 10 ? value.toFixed(1) : String(Math.round(value));
  return digits + (units[unit] ?? '');
}
