/** Where a job is, or would go. */
import type { JobLocation } from '../../engine/index.ts';
import type { Noun } from '../columns.ts';

/** A key and its place. */
export interface KeyPlace extends JobLocation {
  key: string;
}

export const placeNoun: Noun<KeyPlace> = {
  kind: 'Place',
  columns: [
    { header: 'WORKER', value: place => place.worker },
    { header: 'KEY', value: place => place.key },
    { header: 'GROUP', value: place => place.group },
    { header: 'JOB', value: place => place.recorded, text: jobText },
    { header: 'PREFERRED', value: place => place.preferred },
  ],
};

function jobText({ recorded, worker, preferred }: KeyPlace): string {
  if (!recorded)
    return worker === null ? 'there is none, and no worker to take it' : 'there is none; it would go there';
  if (worker === null) return 'waits for a worker';
  return worker === preferred ? 'is there' : 'is there, and will move';
}
