import { type Noun, stateColumn } from '../columns.ts';
import { formatAge, formatTime } from '../human.ts';

export interface DevServerRow {
  url: string | null;
  state: 'RUNNING' | 'STOPPED';
  pid: number | null;
  port: number | null;
  startedAtMs: number | null;
  program: string | null;
  folder: string;
}

export const devServerNoun: Noun<DevServerRow> = {
  kind: 'DevServer',
  columns: [
    { header: 'URL', value: row => row.url },
    stateColumn(row => row.state),
    { header: 'PID', value: row => row.pid },
    { header: 'PORT', value: row => row.port },
    {
      header: 'STARTED',
      value: row => row.startedAtMs,
      text: (row, { nowMs }) =>
        row.startedAtMs === null ? '-' : `${formatTime(row.startedAtMs)} (${formatAge(row.startedAtMs, nowMs)} ago)`,
    },
    { header: 'PROGRAM', value: row => row.program },
    { header: 'FOLDER', value: row => row.folder },
  ],
};
