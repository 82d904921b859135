/** How output looks, decided once per command from flags, environment and what the streams are. */

import { lookUp, lookUpFlag, type Sources } from '../config/lookup.ts';
import { describeOrigin } from '../config/origin.ts';
import { OptionError } from '../engine/index.ts';

export const FORMATS = ['table', 'wide', 'json', 'ndjson', 'yaml', 'csv', 'name', 'raw'] as const;
export type Format = (typeof FORMATS)[number];

export interface Looks {
  format: Format;
  /** False when nobody chose the format: then a command may pick what suits the occasion. */
  formatGiven: boolean;
  /** The same again and again: JSON then comes as one snapshot a line. */
  watching: boolean;
  headers: boolean;
  quiet: boolean;
  ascii: boolean;
  /** Unescaped, whatever it does to the terminal. */
  raw: boolean;
  color: 'auto' | 'always' | 'never';
}

/** @throws OptionError when the environment names an unknown format. */
export function resolveLooks(sources: Sources, streaming: boolean): Looks {
  const { flags } = sources;
  const output = lookUp({ flag: 'output', env: ['PONOS_OUTPUT'] }, sources);
  let format = (output?.value ?? 'table') as Format;
  if (flags.json) format = 'json';
  if (flags.raw) format = 'raw';
  if (!FORMATS.includes(format)) {
    throw new OptionError(`${describeOrigin(output?.origin ?? { kind: 'flag', name: 'output' })} names no format`, {
      hint: `Formats: ${FORMATS.join(', ')}.`,
    });
  }
  // What streams has no end, so no envelope can be put around it.
  if (streaming && format === 'json') format = 'ndjson';
  return {
    format,
    formatGiven: output !== undefined || flags.json === true || flags.raw === true,
    watching: false,
    headers: flags.headers !== false,
    quiet: flags.quiet === true,
    ascii: lookUpFlag({ flag: 'ascii', env: ['PONOS_ASCII'] }, sources)?.value ?? !speaksUnicode(sources),
    raw: format === 'raw',
    color: resolveColor(sources),
  };
}

/** Whether a stream gets colours; each stream is judged alone. */
export function wantsColor(looks: Pick<Looks, 'color'>, isTerminal: boolean): boolean {
  return looks.color === 'always' || (looks.color === 'auto' && isTerminal);
}

function resolveColor({ flags, env }: Sources): Looks['color'] {
  if (flags.color !== undefined) return flags.color as Looks['color'];
  if (env.NO_COLOR) return 'never';
  if (env.FORCE_COLOR) return env.FORCE_COLOR === '0' ? 'never' : 'always';
  return env.TERM === 'dumb' ? 'never' : 'auto';
}

/** A locale that names another character set than UTF-8 cannot draw the glyphs; none at all says nothing. */
function speaksUnicode({ env }: Sources): boolean {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || '';
  return locale === '' || /utf-?8/i.test(locale) || !/[.]|^(C|POSIX)$/.test(locale);
}
