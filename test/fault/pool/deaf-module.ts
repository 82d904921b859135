/**
 * A handler module that keeps its event loop for ever: while it lives it writes a sign of life of each of its jobs, asking
 * nobody. Only force ends it.
 */
import { openSync, writeSync } from 'node:fs';
import type { Job } from '../../../src/engine/pool/handler.ts';
import type { HistoryEvent } from './history.ts';

const TICK_MS = 20;
/** The loop is free for so long in each turn, for more jobs to come in. */
const FREE_MS = 5;
const { HISTORY, WORKER = '' } = process.env;
const file = openSync(HISTORY as string, 'a');
const jobs: Job[] = [];

function write(what: HistoryEvent['what'], { key, token }: Job): void {
  const event: HistoryEvent = { atMs: Number(process.hrtime.bigint()) / 1e6, what, worker: WORKER, key, token };
  writeSync(file, `${JSON.stringify({ ...event, pid: process.pid })}\n`);
}

export function start(job: Job): void {
  write('start', job);
  jobs.push(job);
  if (String(job.payload) === 'block') for (;;) beat();
  if (jobs.length === 1) setInterval(beat, FREE_MS);
}

function beat(): void {
  const endMs = performance.now() + TICK_MS;
  for (const job of jobs) write('tick', job);
  while (performance.now() < endMs);
}

/** It says that it stops, and does not. */
export async function stop(): Promise<void> {
  await new Promise(() => {});
}
