import { cliCommand } from '../cli-command.ts';
import type { FleetSnapshot, LedgerEntry } from '../model.ts';
import type { Line } from '../paint/line.ts';
import { cellText, fitText } from '../text/cell.ts';
import { formatBytes, formatDuration, formatMoment, formatTimeOfDay } from '../text/format.ts';
import type { Place, Scene } from '../view.ts';
import { jobOffers } from './jobs.ts';
import { blobLines, fieldLine, pageView } from './page.ts';
import { showState, stateRole } from './states.ts';

export const jobView = pageView({
  id: 'job',
  crumb: at => `job ${at.key}`,
  command: at => cliCommand('job', 'show', [at.key ?? ''], { pool: at.pool ?? '' }),
  focus: ({ at }) => ({ view: 'job', pool: at.pool ?? '', key: at.key ?? '' }),
  item: (scene, { at }) => ({
    noun: 'job',
    name: at.key ?? '',
    command: cliCommand('job', 'show', [at.key ?? ''], { pool: at.pool ?? '' }),
    offers: detailOf(scene.snapshot, at.pool, at.key)?.value ? jobOffers(at.pool ?? '', at.key ?? '') : [],
  }),
  lines,
});

function detailOf(snapshot: FleetSnapshot, pool: string | undefined, key: string | undefined) {
  const { detail } = snapshot;
  return detail?.kind === 'job' && detail.pool === pool && detail.key === key ? detail : null;
}

function lines(scene: Scene, { at }: Place, width: number): Line[] | null {
  const detail = detailOf(scene.snapshot, at.pool, at.key);
  if (!detail) return null;
  const title: Line = [[` job ${cellText(at.key ?? '')}`, 'strong']];
  const job = detail.value;
  if (!job) return [title, [], [['  it is not there (any more): settled, stopped, or never dispatched', 'muted']]];
  const { nowMs, glyphs } = scene;
  const role = stateRole(job.state);
  return [
    title,
    fieldLine(
      'state',
      showState(job.state, scene),
      role === 'ok' || role === 'busy' || role === 'bad' ? role : undefined,
    ),
    fieldLine('worker', job.worker ?? `${glyphs.none} (queued)`),
    fieldLine('group', job.group),
    fieldLine('token', String(job.token)),
    fieldLine('attempt', job.maxAttempts > 0 ? `${job.attempt} of ${job.maxAttempts}` : String(job.attempt)),
    fieldLine('dispatched', formatMoment(job.dispatchedAtMs, nowMs)),
    fieldLine('started', job.startedAtMs === null ? glyphs.none : formatMoment(job.startedAtMs, nowMs)),
    ...(job.delayLeftMs > 0 ? [fieldLine('due in', formatDuration(job.delayLeftMs))] : []),
    ...(job.error === null ? [] : [fieldLine('error', job.error, 'bad')]),
    [],
    [
      [
        ` PAYLOAD  ${formatBytes(job.payload.sizeBytes)} ${job.payload.encoding === 'utf8' ? 'text' : 'binary'}`,
        'heading',
      ],
    ],
    ...blobLines(job.payload, width),
    [],
    [[' HISTORY', 'heading']],
    ...(job.history.length === 0 ? [[['    nothing in the ledger', 'muted']] as Line] : job.history.map(historyLine)),
  ];
}

function historyLine(entry: LedgerEntry): Line {
  return [
    [`    ${formatTimeOfDay(entry.atMs)}  `, 'muted'],
    [fitText(cellText(entry.type), 12, '~')],
    [fitText(cellText(entry.worker ?? ''), 20, '~', 'left', 'middle')],
    [`  ${entry.token === null ? '' : `token ${entry.token}`}  `, 'muted'],
    [cellText(entry.detail ?? '')],
  ];
}
