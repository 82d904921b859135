import type { PonosError } from '../core/errors.ts';
import type { Gap } from './gap.ts';

export interface ReaderEvents {
  /** Events were missed (with `onGap: 'report'`). */
  gap: Gap;
  /** An entry that is no event was passed over. */
  malformed: { stream: string; id: string; reason: string };
  /** A stream was removed on purpose; reading goes on with the others. */
  removed: { stream: string };
  /** The connection is lost and being opened again. */
  disconnected: PonosError;
  /** It is open again; reading goes on after the last event. */
  reconnected: undefined;
}
