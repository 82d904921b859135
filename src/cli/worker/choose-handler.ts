import { createExecHandler, createIsolatedHandler, type JobHandler, loadHandlerModule } from '../../engine/index.ts';
import { childEnvironment } from '../environment.ts';
import { UsageError } from '../errors.ts';
import { findHandlerFile } from './handler-file.ts';

export interface HandlerChoice {
  file: string | undefined;
  command: string | undefined;
  task: boolean;
  stopBudgetMs: number | undefined;
  /** The module runs in a process of its own. */
  isolate: boolean;
  /** Where the output of children goes. */
  output: 'inherit' | 'stderr';
}

/** @throws UsageError unless exactly one of a file and a command is given; OptionError when the module is none of a handler. */
export async function chooseHandler(choice: HandlerChoice): Promise<JobHandler> {
  const { file, command, task, stopBudgetMs, isolate, output } = choice;
  if (file !== undefined && command !== undefined) {
    throw new UsageError('a worker runs either a HANDLER module or the command of --exec, not both', {
      hint: 'Put quotes around the whole command of --exec.',
    });
  }
  if (command !== undefined) {
    const kind = task ? 'task' : 'service';
    return createExecHandler({ command, env: childEnvironment(), kind, stopBudgetMs, output });
  }
  if (file !== undefined) {
    const url = findHandlerFile(file);
    if (!isolate) return loadHandlerModule(url.href, file);
    return createIsolatedHandler({
      module: url,
      name: file,
      env: childEnvironment(),
      output,
      stopBudgetMs,
      // Told as an error of this process that nobody caught.
      onUnhandled: error => void Promise.reject(error),
    });
  }
  throw new UsageError('there is nothing to run: give a HANDLER module, or a command with --exec', {
    suggestions: [
      ['ponos worker start ./handler.ts', 'a module that exports start or run'],
      ["ponos worker start --exec './job.sh'", 'one child process for each job'],
    ],
  });
}
