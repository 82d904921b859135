import { cliCommand } from '../cli-command.ts';
import type { FleetSnapshot, MapEntry } from '../model.ts';
import { cellText } from '../text/cell.ts';
import { formatBytes } from '../text/format.ts';
import { entryOffers } from './maps.ts';
import { blobLines, pageView } from './page.ts';

export const valueView = pageView({
  id: 'value',
  crumb: at => `key ${at.key}`,
  command: at => cliCommand('map', 'get', [at.map ?? '', at.key ?? '']),
  focus: ({ at }) => ({ view: 'entries', map: at.map ?? '' }),
  item: (scene, { at }) => {
    const entry = entryOf(scene.snapshot, at.map, at.key);
    return {
      noun: 'key',
      name: at.key ?? '',
      command: cliCommand('map', 'get', [at.map ?? '', at.key ?? '']),
      offers: entry ? entryOffers(at.map ?? '', entry) : [],
    };
  },
  lines: (scene, { at }, width) => {
    if (scene.snapshot.entries?.map !== at.map) return null;
    const entry = entryOf(scene.snapshot, at.map, at.key);
    const title = [[` ${cellText(at.key ?? '')}`, 'strong']] as const;
    if (!entry) return [title, [], [['  it is not there (any more)', 'muted']]];
    const { value } = entry;
    return [
      title,
      [[`  ${formatBytes(value.sizeBytes)} ${value.encoding === 'utf8' ? 'text' : 'binary'}`, 'muted']],
      [],
      ...blobLines(value, width),
    ];
  },
});

function entryOf(snapshot: FleetSnapshot, map: string | undefined, key: string | undefined): MapEntry | undefined {
  return snapshot.entries?.map === map ? snapshot.entries?.rows.find(entry => entry.key === key) : undefined;
}
