/** The spans of a pool: one for each dispatch, and one for each time its job is begun. */
import { type Bytes, byteLength } from '../core/bytes.ts';
import { MESSAGING, type SpanEnding, type SpanOutcome, type SpanStart, type Tracer } from '../core/telemetry.ts';
import type { JobRun } from './job-run.ts';
import { parseTerms } from './terms.ts';

/** Lasts as long as the dispatch waits: for the job to be accepted, to be started, or to have ended. */
export function dispatchSpan(pool: string, key: string, payload: Bytes): SpanStart {
  return {
    kind: 'producer',
    name: `dispatch ${pool}`,
    parent: undefined,
    attributes: {
      ...MESSAGING,
      'messaging.operation.name': 'dispatch',
      'messaging.operation.type': 'send',
      'messaging.destination.name': pool,
      'messaging.message.body.size': byteLength(payload),
      'ponos.job.key': key,
    },
  };
}

export function dispatched(outcome: SpanOutcome<{ id: string }>): SpanEnding {
  return 'value' in outcome ? { attributes: { 'messaging.message.id': outcome.value.id } } : {};
}

/**
 * Calls a job's handler under a span that comes under the one of its dispatch, at each attempt and after each move anew. It
 * lasts until a task has ended, or until a service is up: that may then run for weeks.
 */
export function tracedRun<T>(tracer: Tracer | undefined, worker: string, run: JobRun, act: () => T): T {
  if (!tracer) return act();
  return tracer.around(
    () => runSpan(worker, run),
    act,
    outcome => {
      const { stopReason } = run;
      if (stopReason === undefined) return {};
      // Whoever is told to stop may well end with an error.
      return { attributes: { 'ponos.job.stop_reason': stopReason }, forgiven: 'error' in outcome };
    },
  );
}

function runSpan(worker: string, run: JobRun): SpanStart {
  const { key, payload, token, attempt, dispatch, terms } = run.assignment;
  const { pool } = run.job;
  return {
    kind: 'consumer',
    name: `run ${pool}`,
    parent: parseTerms(terms).trace,
    attributes: {
      ...MESSAGING,
      'messaging.operation.name': 'run',
      'messaging.operation.type': 'process',
      'messaging.destination.name': pool,
      'messaging.consumer.group.name': run.group,
      'messaging.client.id': worker,
      'messaging.message.id': dispatch,
      'messaging.message.body.size': payload.length,
      'ponos.job.key': key,
      'ponos.job.attempt': attempt,
      'ponos.job.token': token,
    },
  };
}
