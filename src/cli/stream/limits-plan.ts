/** What `stream set` would change, in words: the limits, and which events would go at once. */
import type { RetentionPlan } from '../../engine/index.ts';
import { formatBytes, formatCount, formatDuration } from '../../present/human.ts';
import { retentionText } from '../../present/nouns/streams.ts';

/** `from no limits to 1000 events, reject, which removes the oldest 20 events`. `plans` holds one for each partition. */
export function describeLimits(plans: readonly RetentionPlan[]): string {
  const [before, after] = [common(plans, 'before'), common(plans, 'after')];
  const removed = removal(plans);
  return `from ${before} to ${after}, which removes ${removed ?? 'no event'}`;
}

function common(plans: readonly RetentionPlan[], when: 'before' | 'after'): string {
  const texts = new Set(plans.map(plan => retentionText(plan[when]) ?? 'no limits'));
  return texts.size > 1 ? 'mixed limits' : ([...texts][0] ?? 'no limits');
}

/** Which events are over the limits; undefined when it is known that none is. */
function removal(plans: readonly RetentionPlan[]): string | undefined {
  const limits = plans.flatMap(({ after }) => (after ? [after] : []));
  const tooMany = plans.reduce((sum, { length, after }) => sum + over(length, after?.maxLength), 0);
  const most = (field: 'maxAgeMs' | 'maxBytes') => Math.max(0, ...limits.map(limit => limit[field]));
  const hasEvents = plans.some(({ length }) => length > 0);
  // How many they are only Redis knows, when it is done.
  const [maxAgeMs, maxBytes] = hasEvents ? [most('maxAgeMs'), most('maxBytes')] : [0, 0];
  const parts = [
    tooMany > 0 ? `the oldest ${formatCount(tooMany, 'event')}` : '',
    maxAgeMs > 0 ? `those older than ${formatDuration(maxAgeMs)}` : '',
    maxBytes > 0 ? `what is over ${formatBytes(maxBytes)}` : '',
  ].filter(part => part !== '');
  if (parts.length === 0) return undefined;
  const settled = limits.every(({ onFull }) => onFull === 'reject');
  const whose = settled ? ', as far as every sink has acknowledged them' : ', acknowledged or not';
  return parts.join(' and ') + (plans.some(({ sinkCount }) => sinkCount > 0) ? whose : '');
}

function over(length: number, maxLength = 0): number {
  return maxLength > 0 ? Math.max(0, length - maxLength) : 0;
}
