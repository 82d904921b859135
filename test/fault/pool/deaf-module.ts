/**
 * A handler module that keeps its event loop for ever: while it lives it writes a sign of life of each of its jobs, asking
 * nobody. Only force ends it.
 */
import type { Job } from '../../../src/engine/pool/handler.ts';
import { Journal } from './journal.ts';

const TICK_MS = 20;
/** The loop is free for so long in each turn, for more jobs to come in. */
const FREE_MS = 5;
const { HISTORY, WORKER } = process.env;
const journal = new Journal(HISTORY as string, `${WORKER}/${process.pid}`);
const jobs: Job[] = [];

export function start(job: Job): void {
  journal.write('start', { jobs: [[job.key, job.token]] });
  jobs.push(job);
  if (String(job.payload) === 'block') for (;;) beat();
  if (jobs.length === 1) setInterval(beat, FREE_MS);
}

function beat(): void {
  const endMs = performance.now() + TICK_MS;
  journal.write('tick', { jobs: jobs.map(job => [job.key, job.token]) });
  while (performance.now() < endMs);
}

/** It says that it stops, and does not. */
export async function stop(): Promise<void> {
  await new Promise(() => {});
}
