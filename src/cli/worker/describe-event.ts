import { describeError, PonosError, type WorkerEvents } from '../../engine/index.ts';
import { formatCount } from '../../present/human.ts';

export interface EventFacts {
  key?: string;
  token?: number;
  more?: Readonly<Record<string, unknown>>;
  /** For people; null when another event says it better. */
  sentence: string | null;
}

type Describe = { [Name in keyof WorkerEvents]: (event: WorkerEvents[Name]) => EventFacts };

const DESCRIBE: Describe = {
  registered: ({ incarnation }) => ({
    more: { incarnation },
    sentence: `member of the pool again, as incarnation ${incarnation}`,
  }),
  started: ({ key, token, attempt }) => ({
    key,
    token,
    more: { attempt },
    sentence: `started ${key}${attempt > 1 ? `, attempt ${attempt}` : ''}`,
  }),
  completed: ({ key, token }) => ({ key, token, sentence: `completed ${key}` }),
  stopped: ({ key, token, reason }) => ({ key, token, more: { reason }, sentence: stoppedSentence(key, reason) }),
  moved: ({ key, token, to }) => ({
    key,
    token,
    more: { to },
    sentence: to === null ? `returned ${key} to the queue` : `moved ${key} to ${to}`,
  }),
  failed: ({ key, token, error, dead }) => ({
    key,
    token,
    more: { dead, error: errorFields(error) },
    sentence: `failed ${key}: ${describeError(error)}; ${dead ? 'it is dead' : 'it will be tried again'}`,
  }),
  fenced: ({ incarnation, jobCount }) => ({
    more: { incarnation, jobCount },
    sentence: `fenced: the lease is over, ${formatCount(jobCount, 'job')} to stop`,
  }),
  zombies: ({ keys }) => ({
    more: { keys },
    sentence: `${formatCount(keys.length, 'job')} did not stop in time, and are at work: ${keys.slice(0, 5).join(', ')}`,
  }),
  lagging: ({ p99Ms, limitMs }) => ({
    more: { p99Ms, limitMs },
    sentence: `the event loop runs ${p99Ms} ms late: something blocks it, which puts the lease at risk`,
  }),
  handlerError: ({ key, error }) => ({
    key,
    more: { error: errorFields(error) },
    sentence: `the handler failed to stop or notify ${key}: ${describeError(error)}`,
  }),
  draining: () => ({ sentence: 'draining: it takes no more jobs' }),
  left: () => ({ sentence: 'left the pool' }),
  error: error => ({ more: { error: errorFields(error) }, sentence: `trouble, tried again: ${describeError(error)}` }),
};

export function describeWorkerEvent<Name extends keyof WorkerEvents>(
  name: Name,
  event: WorkerEvents[Name],
): EventFacts {
  return DESCRIBE[name](event);
}

function stoppedSentence(key: string, reason: WorkerEvents['stopped']['reason']): string | null {
  switch (reason) {
    case 'stop':
      return `stopped ${key}`;
    case 'fenced':
    case 'lost':
      return `stopped ${key}: it is not this worker's any more`;
    case 'move':
    case 'drain':
      return null;
  }
}

function errorFields(error: unknown): { code: string; message: string } {
  return { code: error instanceof PonosError ? error.code : 'HANDLER', message: describeError(error) };
}
