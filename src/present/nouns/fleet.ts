import type { FleetSnapshot } from '../../engine/index.ts';
import type { Noun } from '../columns.ts';

/** The whole fleet at one moment, for programs. */
export const fleetNoun: Noun<FleetSnapshot> = {
  kind: 'Fleet',
  columns: [
    { header: 'ADDRESS', value: fleet => fleet.server?.address ?? null },
    { header: 'POOLS', value: fleet => fleet.pools?.length ?? null, align: 'right' },
    { header: 'STREAMS', value: fleet => fleet.streams?.length ?? null, align: 'right' },
    { header: 'MAPS', value: fleet => fleet.maps?.length ?? null, align: 'right' },
    { header: 'FINDINGS', value: fleet => fleet.findings.length, align: 'right' },
  ],
  item: ({ server, pools, streams, maps, findings, rates }) => ({
    server,
    pools: pools?.map(pool => ({ ...pool, startedPerSecond: rates.get(`pool:${pool.name}`)?.perSecond ?? null })),
    streams: streams?.map(stream => ({
      ...stream,
      addedPerSecond: rates.get(`stream:${stream.name}`)?.perSecond ?? null,
    })),
    maps,
    findings,
  }),
};
