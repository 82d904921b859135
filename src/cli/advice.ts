/** Why it happened, as far as settings tell, and what to type next, for each kind of failure. */

import type { ConnectionSettings } from '../config/connection.ts';
import { describeOrigin } from '../config/origin.ts';
import {
  ExistsError,
  FullError,
  HandlerError,
  NotFoundError,
  NotReplicatedError,
  OptionError,
  OutOfMemoryError,
  PonosError,
  ReadOnlyError,
  RedisDeniedError,
  RedisUnavailableError,
  redisCli,
  TimeoutError,
  UnsafeServerError,
  WrongTypeError,
} from '../engine/index.ts';
import { UsageError } from './errors.ts';
import { type Whereabouts, withWhereabouts } from './whereabouts.ts';

export interface Advice {
  why: string[];
  /** Command lines, each with what it does. */
  next: (readonly [command: string, purpose: string])[];
}

export interface AdviceContext extends Whereabouts {
  /** As typed: `map get`; empty when no command was found. */
  command: string;
  settings: ConnectionSettings | undefined;
}

export function adviseOn(error: unknown, context: AdviceContext): Advice {
  const { why, next } = adviceOn(error, context);
  return { why, next: next.map(([command, purpose]) => [withWhereabouts(command, context), purpose]) };
}

function adviceOn(error: unknown, context: AdviceContext): Advice {
  const { settings, command } = context;
  const help = [`ponos ${command ? `${command} --help` : 'help'}`, 'see what the command takes'] as const;
  if (error instanceof UsageError) return { why: [], next: [...error.suggestions, help] };
  if (error instanceof RedisUnavailableError) return { why: [addressOrigin(settings)], next: reach(settings) };
  if (error instanceof RedisDeniedError) return { why: credentialOrigins(settings), next: credentials() };
  if (error instanceof NotFoundError && WHOLES.includes(error.resource)) {
    return { why: [], next: [[`ponos ${error.resource} list`, `see the ${error.resource}s there are`]] };
  }
  if (error instanceof NotFoundError || error instanceof ExistsError) return { why: [], next: existing(context) };
  if (error instanceof ReadOnlyError) {
    const origin = settings?.readOnly?.value ? settings.readOnly.origin : undefined;
    if (!origin) return { why: [], next: [help] };
    const undo = origin.kind === 'flag' ? `leave out --${origin.name}` : `unset ${origin.name}`;
    return { why: [`read-only is set by ${describeOrigin(origin)}`], next: [[undo, 'allow writes']] };
  }
  if (error instanceof NotReplicatedError && command === 'job dispatch') {
    return { why: [], next: [[`ponos job dispatch ... --id ${error.id}`, 'send the same again']] };
  }
  if (error instanceof TimeoutError) return { why: [], next: [afterTimeout(command)] };
  if (error instanceof PonosError && error.code === 'SCHEDULE_EXISTS') {
    return { why: [], next: [...existing(context), [`ponos ${command} ... --replace`, 'take its place']] };
  }
  if (error instanceof OptionError) return { why: [], next: [help] };
  if (error instanceof UnsafeServerError && error.code === 'UNSAFE_EVICTION_POLICY') {
    return { why: [addressOrigin(settings)].filter(Boolean), next: evictionWays(context) };
  }
  if (error instanceof WrongTypeError || error instanceof UnsafeServerError || error instanceof OutOfMemoryError) {
    return { why: [addressOrigin(settings), prefixOrigin(settings)].filter(Boolean), next: [] };
  }
  if (error instanceof FullError) return { why: [], next: existing(context) };
  if (error instanceof HandlerError) {
    return { why: [], next: [['ponos job list --state dead', 'see the jobs that failed at their last attempt']] };
  }
  if (error instanceof PonosError) return { why: [], next: error.hint ? [] : [help] };
  return { why: [], next: [['PONOS_DEBUG=1', 'set it in the environment to see where this comes from']] };
}

function addressOrigin(settings: ConnectionSettings | undefined): string {
  return settings ? `the address comes from ${describeOrigin(settings.url.origin)}` : '';
}

function prefixOrigin(settings: ConnectionSettings | undefined): string {
  return settings?.prefix ? `the key prefix comes from ${describeOrigin(settings.prefix.origin)}` : '';
}

function credentialOrigins(settings: ConnectionSettings | undefined): string[] {
  if (!settings) return [];
  const password = settings.password
    ? `the password from ${describeOrigin(settings.password.origin)}`
    : 'the password, if any, from the address';
  return [`${addressOrigin(settings)}, ${password}`];
}

function reach(settings: ConnectionSettings | undefined): Advice['next'] {
  const kind = settings?.url.origin.kind;
  const other = ['ponos ... --redis redis://HOST:PORT', 'use a Redis that runs elsewhere'] as const;
  if (kind === 'flag' || kind === 'env') return [other, ['ponos dev up', 'start a local Redis']];
  return [['ponos dev up', 'start a local Redis, which is then found by itself'], other];
}

function credentials(): Advice['next'] {
  return [
    ['ponos ... --password-file FILE', 'take the password from a file'],
    ['PONOS_REDIS_USERNAME, PONOS_REDIS_PASSWORD', 'set them in the environment'],
  ];
}

/** Only some commands may be told to go on in spite of it. */
function evictionWays({ command, settings }: AdviceContext): Advice['next'] {
  const cli = settings ? redisCli(settings.url.value) : 'redis-cli';
  const ways: Advice['next'] = [[`${cli} config set maxmemory-policy noeviction`, 'let Redis refuse instead of drop']];
  if (['job dispatch', 'job notify', 'worker start'].includes(command)) {
    ways.push([`ponos ${command} ... --allow-unsafe-eviction`, 'go on, and accept that jobs may be lost']);
  }
  return ways;
}

/** Waiting longer helps a command that may be repeated; another dispatch would meet the job of the first. */
function afterTimeout(command: string): Advice['next'][number] {
  if (command === 'job dispatch') return ['ponos job list', 'see how far the job is'];
  return [`ponos ${command} ... --timeout 30s`, 'wait longer'];
}

/** What holds other things: without it, the list of what would be in it helps nobody. */
const WHOLES = ['pool', 'stream', 'map'];

/** Where to look for what a command is about, when the list of its noun does not show it. */
const LISTS: Record<string, Advice['next'][number]> = {
  'job purge': ['ponos job list --state dead', 'see the dead jobs there are'],
  'job retry': ['ponos job list --state dead', 'see the dead jobs there are'],
  'pool route remove': ['ponos pool route list', 'see the routes there are'],
};

/** What exists, of the noun the command is about. */
function existing({ command, commands }: AdviceContext): Advice['next'] {
  const noun = command.split(' ')[0] ?? '';
  const next: Advice['next'] = LISTS[command] ? [LISTS[command]] : [];
  const list = `${noun} list`;
  if (command !== list && commands.has(list)) next.push([`ponos ${list}`, `see the ${noun}s there are`]);
  if (noun === 'job' || noun === 'worker') next.push(['ponos pool list', 'see the pools there are']);
  return next;
}
