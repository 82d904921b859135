/**
 * oclif's parse errors in our words. They carry the whole command line, and their text quotes what was typed; neither
 * may be shown, because a secret may stand in it. Only names of flags and arguments go on.
 */
import { stripVTControlCharacters } from 'node:util';
import type { Command } from '@oclif/core/command';
import { PonosError } from '../engine/index.ts';
import { UsageError } from './errors.ts';
import { globalFlags } from './flags.ts';
import { nearest } from './suggest.ts';

interface ParseFailure extends Error {
  args?: { name?: string; description?: string }[] | string[];
  flags?: string[];
}

type CommandShape = Pick<Command.Class, 'flags' | 'args'>;

/** A UsageError when `error` is one of oclif's parser; else `error` itself. */
export function fromOclifError(error: unknown, command: CommandShape): unknown {
  if (!(error instanceof Error)) return error;
  const failure = error as ParseFailure;
  switch (error.constructor.name) {
    case 'NonExistentFlagsError':
      return unknownFlags(failure.flags ?? [], command);
    case 'UnexpectedArgsError':
      return unexpectedArguments((failure.args ?? []) as string[], command);
    case 'RequiredArgsError':
      return missingArguments((failure.args ?? []) as { name?: string; description?: string }[]);
    case 'FlagInvalidOptionError':
    case 'ArgInvalidOptionError':
      return new UsageError(
        error.message.replace(/^Expected (--[\w-]+)?=?[\s\S]* to be one of: /, '$1 must be one of: ').split('\n')[0]!,
      );
    case 'FailedFlagValidationError':
    case 'ViolatedFlagConstraintError':
    case 'InvalidArgsSpecError':
      return new UsageError(withoutValues(stripHelp(error.message)));
    default:
      return isParserError(error) ? new UsageError(stripHelp(error.message), hintOf(error)) : error;
  }
}

function unknownFlags(flags: string[], command: CommandShape): UsageError {
  const names = flags.map(flag => flag.split('=')[0] as string);
  const known = Object.keys({ ...globalFlags, ...command.flags });
  const suggestions = names.flatMap(name => (name.startsWith('--') ? nearest(name.slice(2), known, 2) : []));
  return new UsageError(`unknown flag ${names.join(', ')}`, {
    code: 'UNKNOWN_FLAG',
    hint:
      suggestions.length > 0
        ? `Did you mean ${suggestions.map(name => `--${name}`).join(' or ')}?`
        : 'To give a text that starts with "-", put -- before it.',
  });
}

function unexpectedArguments(given: string[], command: CommandShape): UsageError {
  const takes = Object.keys(command.args ?? {}).map(name => name.toUpperCase());
  const expected = takes.length === 0 ? 'takes no arguments' : `takes only ${takes.join(' ')}`;
  return new UsageError(
    `${given.length === 1 ? 'one argument' : `${given.length} arguments`} too many: the command ${expected}`,
    {
      hint: 'Put quotes around a text with blanks.',
    },
  );
}

function missingArguments(missing: { name?: string; description?: string }[]): UsageError {
  const names = missing.map(
    ({ name, description }) => `${(name ?? '').toUpperCase()}${description ? ` (${description})` : ''}`,
  );
  return new UsageError(`missing ${names.join(', ')}`, { code: 'MISSING_ARGUMENT' });
}

function hintOf(error: Error): { hint?: string } {
  return error instanceof PonosError && error.hint ? { hint: error.hint } : {};
}

/** The parser throws plain CLIErrors too ("expects a value"), with words of its own and no values. */
function isParserError(error: Error): boolean {
  return error.constructor.name === 'CLIError' || /^Parsing --[\w-]+ /.test(error.message);
}

function stripHelp(message: string): string {
  // On a terminal the parser dims its reasons.
  return stripVTControlCharacters(message)
    .replace(/\nSee more help with --help[\s\S]*$/, '')
    .replace(/^The following errors? occurred:\s+/, '')
    .replace(/^Parsing (--[\w-]+)\s+(?=\1 )/, '')
    .replace(/^Parsing (--[\w-]+)\s+/, '$1: ')
    .replace(/ but received: [\s\S]*$/, '')
    .replace(/\s*\n\s*/g, '; ')
    .replace(/\bMissing required flag (\S+)/g, 'missing --$1');
}

function withoutValues(message: string): string {
  return message.replace(/(--[\w-]+)=\S+/g, '$1');
}
