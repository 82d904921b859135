/**
 * A program of its own: runs the handlers of a module for a worker in another process. It shares no event loop with the
 * worker, whose lease goes on when a handler blocks, and it can be killed, which a handler in the worker's process cannot.
 *
 * First it is told which module to load, then what to begin and stop, over the channel of a child process. When the
 * channel ends the worker is gone: everything is stopped, and the watchdog kills what does not listen.
 *
 * It stands apart from the engine's rules (no signals, no exit) because it is a process and not a library.
 */
import { describeError, PonosError } from '../../core/errors.ts';
import { isTaskHandler } from '../handler.ts';
import { loadHandlerModule } from '../handler-module.ts';
import { HostJobs } from './host-jobs.ts';
import { type FromHost, failureOf, type ToHost } from './messages.ts';

let jobs: HostJobs | undefined;

process.on('message', (message: ToHost) => {
  if (message.kind === 'load') load(message).catch(refuse);
  else jobs?.obey(message);
});
process.once('disconnect', leave);
process.once('SIGTERM', leave);

async function load({ url, name, tellsUnhandled }: Extract<ToHost, { kind: 'load' }>): Promise<void> {
  if (tellsUnhandled) {
    for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
      process.on(event, (error: unknown) => tell({ kind: 'unhandled', failure: failureOf(error) }));
    }
  }
  const handler = await loadHandlerModule(url, name);
  jobs = new HostJobs(handler, tell);
  tell({ kind: 'loaded', isTask: isTaskHandler(handler), takesNotes: handler.notify !== undefined });
}

function refuse(error: unknown): void {
  const [message, hint] = error instanceof PonosError ? [error.message, error.hint] : [describeError(error), undefined];
  tell({ kind: 'refused', message, hint });
}

/** The worker may be gone: then nobody is left to be told. */
function tell(message: FromHost): void {
  if (process.connected) process.send?.(message, () => {});
}

function leave(): void {
  const end = () => process.exit(0);
  if (jobs) jobs.leave().then(end, end);
  else end();
}
