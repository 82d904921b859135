/** Which dead letters a command is about: ids, or all that a filter lets pass. */
import * as Flags from '@oclif/core/flags';
import { type DeadFilter, listDeadIds, type RedisLink, redisTimeMs } from '../../engine/index.ts';
import { formatCount } from '../../present/human.ts';
import { UsageError } from '../errors.ts';
import { text } from '../flags.ts';
import { parseMoment } from '../stream/moment.ts';

export const deadArgs = {
  stream: text({ required: true, description: 'Name of the stream' }),
  sink: text({ required: true, description: 'Name of the sink' }),
};

export const deadFilterFlags = {
  reason: Flags.string({ helpValue: 'TEXT', description: 'Only those whose reason holds this text' }),
  since: Flags.string({ helpValue: '1h', description: 'Only those that died in the last 1h, or since a time' }),
  until: Flags.string({ helpValue: '5m', description: 'Only those that died longer ago than 5m, or before a time' }),
};

export interface DeadFilterFlags {
  reason?: string | undefined;
  since?: string | undefined;
  until?: string | undefined;
}

export interface DeadChoice extends DeadFilterFlags {
  ids: readonly string[] | undefined;
  all: boolean | undefined;
}

/** @throws OptionError on what is no time. */
export async function deadFilter(link: RedisLink, flags: DeadFilterFlags): Promise<DeadFilter> {
  const times = [flags.since, flags.until].map(given => (given === undefined ? undefined : timeOf(given)));
  const now = times.some(time => time && 'agoMs' in time) ? await redisTimeMs(link.commands) : 0;
  const [sinceMs, untilMs] = times.map(time => time && ('agoMs' in time ? Math.max(0, now - time.agoMs) : time.atMs));
  return { reason: flags.reason, sinceMs, untilMs };
}

/** The ids that are meant. @throws UsageError unless ids or a kind is given; NotFoundError, OptionError. */
export async function chooseLetters(
  link: RedisLink,
  stream: string,
  sink: string,
  { ids = [], all, ...flags }: DeadChoice,
): Promise<string[]> {
  const some = Object.values(flags).some(flag => flag !== undefined);
  if (ids.length > 0 ? all || some : !all && !some) {
    throw new UsageError('give ID, or --all, or a filter (--reason, --since, --until)', {
      suggestions: [[`ponos sink dead list ${stream} ${sink}`, 'see the dead letters']],
    });
  }
  if (ids.length > 0) return [...new Set(ids)];
  return listDeadIds(link, stream, sink, await deadFilter(link, flags));
}

/** As plans and questions name them. */
export function describeLetters(stream: string, sink: string, ids: readonly string[]): string {
  const which = ids.length === 1 ? `dead letter ${ids[0]}` : formatCount(ids.length, 'dead letter');
  return `${which} of sink "${sink}" of stream "${stream}"`;
}

function timeOf(given: string): { atMs: number } | { agoMs: number } {
  const moment = parseMoment(given);
  if ('id' in moment) {
    throw new UsageError('--since and --until take a duration or a time', {
      hint: 'Write 5m or 2026-11-23T19:00:00Z.',
    });
  }
  return moment;
}
