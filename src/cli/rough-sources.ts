/** Just enough of a command line that cannot be parsed, or has no command, to tell its error in the form asked for. */
import type { Sources } from '../config/lookup.ts';

const JSON_ASKED = /(^| )(--json|(-o ?|--output[ =])(nd)?json)( |$)/;

export function roughSources(argv: readonly string[]): Sources {
  const end = argv.indexOf('--');
  const words = end < 0 ? argv : argv.slice(0, end);
  const json = JSON_ASKED.test(words.join(' ')) || /^(nd)?json$/.test(process.env.PONOS_OUTPUT ?? '');
  return {
    flags: { json: json || undefined, ascii: words.includes('--ascii') || undefined },
    // What may itself be wrong is left out.
    env: { ...process.env, PONOS_OUTPUT: undefined, PONOS_ASCII: undefined },
  };
}
