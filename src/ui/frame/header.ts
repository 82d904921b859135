import { fitLine, type Line, lineWidth, type Span, spread } from '../paint/line.ts';
import { cellText } from '../text/cell.ts';
import { formatDuration, formatLatency, formatTimeOfDay } from '../text/format.ts';
import type { Scene } from '../view.ts';
import { tabs } from '../views/index.ts';

export interface HeaderFacts {
  /** Shown until the server was read. */
  address: string;
  mayAct: boolean;
  paused: boolean;
}

/** Data older than this many intervals, and at least this old, is said to be old even while nothing has failed. */
const OLD = { intervals: 3, ms: 5000 };

/** Who, where, and above all how old what is shown is. */
export function headerLine(scene: Scene, facts: HeaderFacts, width: number): Line {
  const { snapshot, nowMs, glyphs } = scene;
  const { server } = snapshot;
  const right: Span[] = [
    ['  '],
    facts.mayAct ? ['RW', 'plain'] : ['RO', 'accent'],
    ['  '],
    liveness(scene, facts.paused),
    [`  ${formatTimeOfDay(nowMs)} `],
  ];
  const parts: Span[][] = [
    [[' ponos', 'brand']],
    [[`  ${cellText(shortAddress(server?.address ?? facts.address))}`]],
    server ? [[`  redis ${cellText(server.version)}`, 'muted']] : [],
    server ? [[`  rtt ${formatLatency(server.roundTripMs)}`, 'muted']] : [],
  ];
  const left: Span[] = [];
  for (const part of parts) {
    if (lineWidth([...left, ...part, ...right]) > width && left.length > 1) break;
    left.push(...part);
  }
  return spread(left, right, width, glyphs.ellipsis);
}

export function liveness({ snapshot, nowMs, glyphs }: Scene, paused: boolean): Span {
  const { state, readAtMs, everyMs, attempts } = snapshot.connection;
  const ageMs = readAtMs === null ? 0 : nowMs - readAtMs;
  if (state === 'CONNECTING') return [`${glyphs.busy} CONNECTING${attempts > 1 ? ` ${attempts}` : ''}`, 'busy'];
  if (state === 'STALE') return [`${glyphs.warn} STALE ${formatDuration(ageMs)}`, 'bad'];
  if (paused) return [`${glyphs.stopped} PAUSED ${formatDuration(ageMs)}`, 'warn'];
  if (ageMs > Math.max(OLD.ms, OLD.intervals * everyMs)) return [`${glyphs.warn} OLD ${formatDuration(ageMs)}`, 'warn'];
  return [`${glyphs.ok} LIVE ${(everyMs / 1000).toFixed(1)}s`, 'ok'];
}

/** The scheme says nothing here, what follows it does. */
function shortAddress(address: string): string {
  return address.replace(/^redis:\/\//, '').replace(/\/0?$/, '');
}

export function tabLine(active: number, width: number): Line {
  const variants = [
    (index: number) => `${index + 1} ${tabs[index]?.title}`,
    (index: number) => `${index + 1} ${tabs[index]?.title.slice(0, 4)}`,
    (index: number) => (index === active ? `${index + 1} ${tabs[index]?.title}` : `${index + 1}`),
  ];
  for (const name of variants) {
    const line: Span[] = tabs.flatMap((_, index): Span[] =>
      index === active ? [[` ${name(index)} `, 'tab'], [' ']] : [[' '], [name(index)], ['  ']],
    );
    if (lineWidth(line) <= width + 1) return fitLine(line, width);
  }
  return fitLine([[` ${active + 1} ${tabs[active]?.title} `, 'tab']], width);
}
