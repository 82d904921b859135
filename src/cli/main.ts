/** The command line as a whole: from words to an exit code. `bin/run.js` calls `run`. */
import { Config } from '@oclif/core/config';
import { findTarget, type Target } from './command-line.ts';
import { rememberEnvironment } from './environment.ts';
import { reportError } from './error-report.ts';
import { OutputClosedError, UsageError } from './errors.ts';
import { exactArguments } from './exact-arguments.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { FIRST_STEPS } from './first-steps.ts';
import { resolveLooks, wantsColor } from './format.ts';
import { standardStreams } from './io.ts';
import { roughSources } from './rough-sources.ts';
import { nearest } from './suggest.ts';

export interface RunOptions {
  /** Folder of package.json. */
  root: string;
  /** Variables the executable changed, as they were. */
  changedEnvironment?: Readonly<Record<string, string | undefined>>;
}

const HELP_FLAGS = ['--help', '-h'];
const VERSION_FLAGS = ['--version', '-V'];

/** Runs one command line. Resolves with the exit code when all output is handed over; never rejects. */
export async function run(argv: string[], options: RunOptions): Promise<number> {
  const { stdout, stderr } = standardStreams();
  rememberEnvironment(options.changedEnvironment ?? {});
  let broken: { error: unknown } | undefined;
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      if (broken) return;
      broken = { error };
      void stderr
        .write(describe(error, argv))
        .catch(() => undefined)
        .finally(() => process.exit(exitCodeOf(error)));
    });
  }
  let code: number;
  try {
    code = await dispatch(exactArguments(argv), options.root);
  } catch (error) {
    const isTold = broken !== undefined || error instanceof OutputClosedError;
    if (!isTold) await stderr.write(describe(error, argv)).catch(() => undefined);
    code = exitCodeOf(error);
  }
  if (broken) code = exitCodeOf(broken.error);
  await stdout.flush();
  await stderr.flush();
  return code;
}

async function dispatch(argv: string[], root: string): Promise<number> {
  const { stdout } = standardStreams();
  if (argv.length === 0) {
    await stdout.write(FIRST_STEPS);
    return EXIT.ok;
  }
  const config = await Config.load({ root });
  if (VERSION_FLAGS.includes(argv[0] as string)) {
    await stdout.write(`${config.version}\n`);
    return EXIT.ok;
  }
  const known = {
    commands: new Set(config.commandIDs),
    topics: new Set(config.topics.map(topic => topic.name)),
  };
  const wantsHelp = argv[0] === 'help' || asksForHelp(argv);
  const words = argv[0] === 'help' ? argv.slice(1) : argv;
  const target = findTarget(wantsHelp ? words.filter(word => !HELP_FLAGS.includes(word)) : words, known);
  if (target.kind === 'unknown') throw unknownCommand(target.words, known.commands);
  if (target.kind !== 'command' || wantsHelp) {
    const { helpText } = await import('./help.ts');
    await stdout.write(await helpText(helpSubject(target), config));
    return EXIT.ok;
  }
  await config.runCommand(target.id, target.argv);
  return Number(process.exitCode ?? EXIT.ok);
}

function helpSubject(target: Target): string {
  return target.kind === 'command' || target.kind === 'topic' ? target.id : '';
}

/** A help flag counts wherever it stands, but for what follows `--`. */
function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end < 0 ? argv : argv.slice(0, end)).some(word => HELP_FLAGS.includes(word));
}

function unknownCommand(words: readonly string[], commands: ReadonlySet<string>): UsageError {
  const typed = words.join(' ');
  const known = [...commands].map(id => id.replaceAll(':', ' '));
  const topics = [...new Set(known.map(name => name.split(' ')[0] as string))];
  const similar = nearest(typed, known);
  const near = similar.length > 0 ? similar : nearest(words.at(-1) as string, topics);
  const suggestions = near.map(name => [`ponos ${name}`, 'did you mean this?'] as const);
  return new UsageError(`there is no command "${typed}"`, { code: 'UNKNOWN_COMMAND', suggestions });
}

/** An error outside any command. */
function describe(error: unknown, argv: string[]): string {
  const looks = resolveLooks(roughSources(argv), false);
  return reportError(error, {
    command: '',
    settings: undefined,
    flags: {},
    commands: new Map(),
    json: looks.format === 'json',
    color: wantsColor(looks, standardStreams().stderr.isTerminal),
  });
}
