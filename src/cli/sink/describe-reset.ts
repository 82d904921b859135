import { FIRST_ID, type ResetPlan } from '../../engine/index.ts';
import { formatCount } from '../../present/human.ts';

/** `to its beginning: 12 events are delivered again, 3 pending ones before that are lost to it`. */
export function describeReset(plan: ResetPlan): string {
  const { toId, againCount, skippedCount, exact, pendingDroppedCount, pendingKeptCount } = plan;
  const counted = (count: number) => (exact ? formatCount(count, 'event') : `about ${formatCount(count, 'event')}`);
  const effects = [
    againCount > 0 && `${counted(againCount)} will be delivered again`,
    skippedCount > 0 && `${counted(skippedCount)} it was never given will be skipped and lost to it`,
    pendingDroppedCount > 0 && `${formatCount(pendingDroppedCount, 'pending event')} will be lost to it`,
    pendingKeptCount > 0 && `${formatCount(pendingKeptCount, 'pending event')} before that will stay pending`,
  ].filter(Boolean);
  const place = toId === FIRST_ID ? 'to the beginning' : `to behind ${toId}`;
  return `${place}: ${effects.length > 0 ? effects.join(', ') : 'nothing is delivered again or skipped'}`;
}
