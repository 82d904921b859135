/** Where a job is, or would go. */
import type { JobPlace } from '../../engine/index.ts';
import type { Noun } from '../columns.ts';

/** A key and its place. */
export interface KeyPlace extends JobPlace {
  key: string;
}

export const placeNoun: Noun<KeyPlace> = {
  kind: 'Place',
  columns: [
    { header: 'WORKER', value: place => place.worker },
    { header: 'GROUP', value: place => place.group },
    { header: 'KEY', value: place => place.key },
    {
      header: 'JOB',
      value: place => place.recorded,
      text: place => (place.recorded ? 'recorded to it' : 'not recorded; it would go there'),
    },
  ],
};
