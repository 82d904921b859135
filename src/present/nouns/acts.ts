/** What a command did that has nothing else to show. */
import type { Noun } from '../columns.ts';

export interface ActRow {
  /** The command: `stream remove`. */
  act: string;
  /** What it was done to. */
  name: string;
  /** Where that is, and counts. */
  [detail: string]: string | number | boolean | null;
}

export const actNoun: Noun<ActRow> = {
  kind: 'Act',
  columns: [
    { header: 'NAME', value: row => row.name },
    { header: 'ACT', value: row => row.act },
  ],
};
