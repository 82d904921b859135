/**
 * Chooses events by topic. Pure.
 *
 * A string is a pattern of Redis's own glob language: `*`, `?`, `[a-z]`, `[^a]`, and a backslash before a character that
 * stands for itself. A topic without such characters is its own pattern. `{ exact }` takes any text literally.
 */
import { OptionError } from '../core/errors.ts';
import { globMatcher } from '../core/glob.ts';

export type TopicPattern = string | RegExp | { readonly exact: string };

/** Longer patterns are a mistake, and cost for every event. */
const MAX_PATTERN_CHARS = 1024;

export class TopicFilter {
  /** Canonical text: two filters that choose alike by the same pattern have the same. */
  readonly description: string;
  readonly #matches: (topic: string) => boolean;

  /** @throws OptionError when `pattern` is none. */
  constructor(pattern: TopicPattern) {
    if (typeof pattern === 'string') {
      checkLength(pattern);
      this.description = `glob:${pattern}`;
      this.#matches = globMatcher(pattern);
    } else if (pattern instanceof RegExp) {
      checkLength(pattern.source);
      // `g` and `y` make a RegExp remember where it stopped: the second of two equal topics would not match.
      const stateless = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''));
      this.description = `regexp:${stateless}`;
      this.#matches = topic => stateless.test(topic);
    } else if (typeof pattern === 'object' && pattern !== null && typeof pattern.exact === 'string') {
      const { exact } = pattern;
      this.description = `exact:${exact}`;
      this.#matches = topic => topic === exact;
    } else throw new OptionError('topic must be a pattern, a RegExp or { exact }');
  }

  /** An event without topic matches no filter. */
  matches(topic: string | undefined): boolean {
    return topic !== undefined && this.#matches(topic);
  }
}

function checkLength(pattern: string): void {
  if (pattern.length > MAX_PATTERN_CHARS) {
    throw new OptionError(`topic pattern has ${pattern.length} characters, allowed: ${MAX_PATTERN_CHARS}`);
  }
}
