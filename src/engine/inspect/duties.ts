import type { Duty } from './cadence.ts';
import type { FleetFocus } from './fleet.ts';

/** How often each part is read when there is budget: on screen, and beside what is on screen. */
const EVERY_MS = {
  server: { onScreen: 5_000, beside: 15_000 },
  pools: { onScreen: 1_000, beside: 5_000 },
  streams: { onScreen: 1_000, beside: 10_000 },
  maps: { onScreen: 1_000, beside: 20_000 },
} as const;
const DETAIL_MS = 2_000;

/**
 * What an observer of `focus` reads, the part that matters most on screen first. Names are a part, and after a colon
 * what it is a part of.
 */
export function dutiesOf(focus: FleetFocus, refreshMs: number): Duty[] {
  const onScreen = onScreenDuties(focus, refreshMs);
  const seen = new Set(onScreen.map(duty => duty.name));
  const beside: Duty[] = [
    { name: 'pools', everyMs: EVERY_MS.pools.beside },
    { name: 'streams', everyMs: EVERY_MS.streams.beside },
    { name: 'server', everyMs: EVERY_MS.server.beside },
    { name: 'maps', everyMs: EVERY_MS.maps.beside },
  ];
  return [...onScreen, ...beside.filter(duty => !seen.has(duty.name))];
}

export function onScreenDuties(focus: FleetFocus, refreshMs: number): Duty[] {
  const often = (name: string): Duty => ({ name, everyMs: Math.max(refreshMs, EVERY_MS.pools.onScreen) });
  const slower = (name: string): Duty => ({ name, everyMs: Math.max(refreshMs, DETAIL_MS) });
  switch (focus.view) {
    case 'overview':
      return [often('pools'), slower('streams'), { name: 'server', everyMs: EVERY_MS.server.onScreen }];
    case 'streams':
    case 'maps':
      return [often(focus.view)];
    case 'nodes':
    case 'workers':
    case 'events':
      return [often(`${focus.view}:${focus.pool}`)];
    case 'jobs':
      return [often(`jobs:${focus.pool}`)];
    case 'job':
      return [slower('detail')];
    case 'sinks':
      return [often(`sinks:${focus.stream}`)];
    case 'pending':
    case 'entries':
      return [slower(focus.view)];
    case 'tail':
      return [often('tail')];
  }
}
