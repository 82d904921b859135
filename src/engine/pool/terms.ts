/** What a dispatch asked for, one text in the job's record that goes with the job wherever it goes (`lua/_terms.lua`). */

export interface JobTerms {
  /** Attempts before the job is dead; 0 never gives up. */
  readonly attempts: number;
  readonly backoffMs: number;
  readonly backoffMaxMs: number;
  readonly payloadBytes: number;
  /** How long the outcome is kept; undefined: as long as a reply may be under way. */
  readonly keepMs: number | undefined;
  /** Node that waits for the outcome; empty when nobody does. */
  readonly replyTo: string;
  /** Of the payload, when the dispatcher gave the id; else empty. */
  readonly digest: string;
}

const ABSENT = '-';

export function formatTerms(terms: JobTerms): string {
  const { attempts, backoffMs, backoffMaxMs, payloadBytes, keepMs, replyTo, digest } = terms;
  return `${attempts} ${Math.ceil(backoffMs)} ${Math.ceil(backoffMaxMs)} ${payloadBytes} ${keepMs ?? ABSENT} ${replyTo || ABSENT} ${formatDigest(digest)}`;
}

/** As it stands in the terms and in the record of a dispatch. */
export function formatDigest(digest: string): string {
  return digest || ABSENT;
}

/** What is no terms, or of a later version, counts as nothing asked for. */
export function parseTerms(text: string): JobTerms {
  const [attempts, backoffMs, backoffMaxMs, payloadBytes, keepMs, replyTo = ABSENT, digest = ABSENT] = text.split(' ');
  return {
    attempts: Number(attempts) || 0,
    backoffMs: Number(backoffMs) || 0,
    backoffMaxMs: Number(backoffMaxMs) || 0,
    payloadBytes: Number(payloadBytes) || 0,
    keepMs: keepMs === undefined || keepMs === ABSENT ? undefined : Number(keepMs),
    replyTo: replyTo === ABSENT ? '' : replyTo,
    digest: digest === ABSENT ? '' : digest,
  };
}

const FORM = /^(\d+ ){4}\S+ \S+ \S+/;

/** Whether the scripts can read it. A later version may add words at the end. */
export function isTerms(text: string): boolean {
  return FORM.test(text);
}
