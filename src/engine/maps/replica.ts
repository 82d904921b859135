/**
 * One copy of a map as a state machine: messages, snapshots and fetched values in; changes and requests out. No I/O, no time.
 *
 * Redis is the authority. What is shown (`entries`, `revision`) is the state of the map at that revision, or for a value that had
 * to be fetched a newer one; it is replaced in one step and never a half copy.
 *
 * - `live`: a message is applied if its `previous` is the revision shown; an older one is dropped; anything else is a gap.
 * - `scanning`: a snapshot is asked for, and messages are gathered in a segment. Reading a map in chunks takes time, so a snapshot
 *   says between which two revisions it was read. It counts only together with an unbroken run of messages from the first to
 *   the second: a key the run does not touch had one value all the while, and a touched one is settled by its last message.
 * - `fetching`: a run waits for values its messages did not carry. Messages gather meanwhile and are the next run, so that
 *   each fetch makes progress however fast others write.
 * - `catching`: a fetched value may be newer than the revision shown; what follows is applied only as far as that value reaches,
 *   or the key would go back for a moment.
 *
 * Failure: whatever does not fit asks for a new snapshot. Until one fits the old copy stays. A replica that keeps what is lost
 * also keeps it when Redis lost the map, and asks for it to be written back, until that is done or `forgo` says it will not be.
 */
import type { MapChange, ResetCause } from './changes.ts';
import type { MapMessage } from './message.ts';
import { Segment, UNKNOWN } from './segment.ts';

export interface MapSnapshot {
  /** Empty when Redis has no record of the map. */
  generation: string;
  /** Generation this one replaced on purpose, after a destroy; empty otherwise. */
  prior: string;
  /** Lost generation whose last copy was written back into this one, and by which replica; empty otherwise. */
  restored: string;
  restorer: string;
  destroyed: boolean;
  /** Revisions just before the first and just after the last entry was read. */
  before: number;
  after: number;
  /** Revision and cause of the last reset. */
  resetRevision: number;
  resetCause: ResetCause;
  expiresAtMs: number;
  /** The deadline was past when it was read: its entries are hidden, although nobody has made that a change yet. */
  expired: boolean;
  entries: Map<string, string>;
}

export interface FetchedValues {
  generation: string;
  /** Revision read after the values. */
  revision: number;
  values: ReadonlyMap<string, string | undefined>;
}

export type ResyncReason =
  | 'gap'
  | 'generation'
  | 'moved'
  | 'subscribed'
  | 'poll'
  | 'settle'
  | 'expired'
  | 'lost'
  | 'error';

export type ReplicaRequest =
  | { kind: 'resync'; reason: ResyncReason }
  | { kind: 'fetch'; ticket: number; keys: string[] }
  /** What is shown is the last copy known of a map that Redis lost. */
  | { kind: 'reassert' };

export interface ReplicaOutcome {
  changes: readonly MapChange[];
  request?: ReplicaRequest;
  /** Redis lost the map this replica held. */
  lost?: boolean;
  /** Redis lost the map, and what was written back is shown: by which replica. */
  restorer?: string | undefined;
  /** The map was destroyed. */
  destroyed?: boolean;
}

const NOTHING: ReplicaOutcome = { changes: [] };

export class Replica {
  #entries = new Map<string, string>();
  #generation = '';
  #revision = 0;
  #expiresAtMs = 0;
  #destroyed = false;
  #phase: 'live' | 'scanning' | 'fetching' | 'catching' = 'scanning';
  /** Messages received while not live. */
  #open: Segment | undefined;
  /** The run that waits for fetched values. */
  #closed: Segment | undefined;
  /** A snapshot not shown yet: it waits for messages or for fetched values. */
  #base: MapSnapshot | undefined;
  /** Revision up to which a fetched value may reach. */
  #barrier = 0;
  #ticket = 0;
  readonly #keepsLost: boolean;
  #forgone = false;

  constructor(options: { keepsLost: boolean } = { keepsLost: false }) {
    this.#keepsLost = options.keepsLost;
  }

  get entries(): ReadonlyMap<string, string> {
    return this.#entries;
  }

  get generation(): string {
    return this.#generation;
  }

  get revision(): number {
    return this.#revision;
  }

  get expiresAtMs(): number {
    return this.#expiresAtMs;
  }

  get destroyed(): boolean {
    return this.#destroyed;
  }

  get live(): boolean {
    return this.#phase === 'live';
  }

  /** What is shown was whole at its revision, and every message since is applied or waits in its turn. */
  get following(): boolean {
    return this.#phase !== 'scanning' && this.#base === undefined;
  }

  get fetching(): boolean {
    return this.#phase === 'fetching';
  }

  message(message: MapMessage): ReplicaOutcome {
    if (this.#phase === 'live') return this.#messageLive(message);
    const tail = this.#open ?? this.#closed;
    const [generation, to] = tail ? [tail.generation, tail.to] : [this.#generation, this.#revision];
    if (this.#phase === 'scanning' && !tail) this.#open = new Segment(message);
    else if (message.generation === generation && message.previous === to && !this.#open?.overgrown) {
      if (this.#open) this.#open.append(message);
      else this.#open = new Segment(message);
    } else if (message.generation === generation && message.revision <= to) return NOTHING;
    else if (this.#phase !== 'scanning') return this.#gap(message);
    else this.#open = new Segment(message);
    return this.#advance();
  }

  /** The connection is gone, messages may be missed: what was gathered is worth nothing. */
  disconnected(): void {
    this.startScan();
  }

  /** A snapshot is about to be read. Messages received before it are in it. */
  startScan(): void {
    this.#phase = 'scanning';
    this.#open = undefined;
    this.#closed = undefined;
    this.#base = undefined;
  }

  /** What Redis lost will not be written back: the next snapshot is shown, whatever it is. */
  forgo(): void {
    this.#forgone = true;
  }

  snapshot(snapshot: MapSnapshot): ReplicaOutcome {
    if (this.#phase !== 'scanning') return NOTHING;
    // No record at both ends says nothing of the time between, so what was read then may never have been there together.
    if (snapshot.generation === '' || snapshot.expired) snapshot.entries.clear();
    this.#base = snapshot;
    return this.#advance();
  }

  fetched(ticket: number, fetched: FetchedValues): ReplicaOutcome {
    const run = this.#closed;
    if (this.#phase !== 'fetching' || !run || ticket !== this.#ticket) return NOTHING;
    if (fetched.generation !== run.generation) return this.#resync('generation');
    for (const key of run.unknown) run.values.set(key, fetched.values.get(key));
    this.#barrier = fetched.revision;
    this.#closed = undefined;
    const shown = this.#base ? this.#show(this.#base, run) : this.#applyRun(run);
    this.#phase = 'catching';
    return join(shown, this.#advance());
  }

  /** The deadline passed and Redis cannot be asked: an expired copy is not shown, and whatever follows starts with a snapshot. */
  expireAlone(): ReplicaOutcome {
    this.startScan();
    this.#expiresAtMs = 0;
    const changes: MapChange[] = [];
    this.#clear('expired', this.#revision, changes);
    return { changes };
  }

  #messageLive(message: MapMessage): ReplicaOutcome {
    if (message.generation === this.#generation) {
      if (message.previous === this.#revision) {
        if (message.kind === 'fetch') return this.#fetch(new Segment(message));
        return this.#applyMessage(message);
      }
      if (message.revision <= this.#revision) return NOTHING;
    }
    return this.#gap(message);
  }

  #gap(message: MapMessage): ReplicaOutcome {
    const outcome = this.#resync(message.generation === this.#generation ? 'gap' : 'generation');
    this.#open = new Segment(message);
    return outcome;
  }

  #resync(reason: ResyncReason): ReplicaOutcome {
    this.startScan();
    return { changes: [], request: { kind: 'resync', reason } };
  }

  #fetch(run: Segment): ReplicaOutcome {
    this.#phase = 'fetching';
    this.#closed = run;
    this.#open = undefined;
    this.#ticket++;
    return { changes: [], request: { kind: 'fetch', ticket: this.#ticket, keys: [...run.unknown] } };
  }

  /** Goes as far as what was gathered allows. */
  #advance(): ReplicaOutcome {
    if (this.#phase === 'scanning' && this.#base) return this.#judge(this.#base);
    if (this.#phase !== 'catching') return NOTHING;
    const run = this.#open;
    if ((run?.to ?? this.#revision) < this.#barrier) return NOTHING;
    if (run && run.unknown.size > 0) return this.#fetch(run);
    this.#open = undefined;
    this.#phase = 'live';
    return run ? this.#applyRun(run) : NOTHING;
  }

  /** Whether a snapshot and the messages gathered make a whole: shows it, waits for more messages, or asks for another. */
  #judge(base: MapSnapshot): ReplicaOutcome {
    if (this.#keepsLost && !this.#forgone && this.#isLost(base)) {
      this.startScan();
      return { changes: [], request: { kind: 'reassert' } };
    }
    const run = this.#open;
    if (base.before > base.after || (run && run.generation !== base.generation)) return this.#resync('moved');
    const exact = base.before === base.after;
    if (exact && (!run || run.to <= base.after)) return this.#goLive(base, undefined);
    if (!run) return NOTHING;
    if (run.from > base.before) return this.#resync('gap');
    if (run.to < base.after) return NOTHING;
    return run.unknown.size > 0 ? this.#fetch(run) : this.#goLive(base, run);
  }

  #goLive(base: MapSnapshot, run: Segment | undefined): ReplicaOutcome {
    this.#open = undefined;
    this.#phase = 'live';
    return this.#show(base, run);
  }

  /** Replaces what is shown, and tells the differences as changes. */
  #show(base: MapSnapshot, run: Segment | undefined): ReplicaOutcome {
    const before = this.#entries;
    const after = base.entries;
    const known = this.#generation;
    const cause = this.#resetCause(base, run);
    const restored = known !== '' && base.restored === known && base.generation !== known;
    if (run?.cleared) after.clear();
    for (const [key, value] of run?.values ?? []) setOrDelete(after, key, value as string | undefined);
    const wasDestroyed = this.#destroyed;
    this.#base = undefined;
    this.#forgone = false;
    this.#generation = base.generation;
    this.#revision = run?.to ?? base.after;
    this.#expiresAtMs = run?.expiresAtMs ?? base.expiresAtMs;
    this.#destroyed = run ? run.cleared === 'destroyed' : base.destroyed;
    const changes: MapChange[] = [];
    if (cause) this.#clear(cause, this.#revision, changes);
    else for (const [key, previous] of before) if (!after.has(key)) changes.push(this.#deleted(key, previous));
    for (const [key, value] of after) {
      const previous = cause ? undefined : before.get(key);
      if (previous !== value) changes.push(this.#set(key, value, previous));
    }
    this.#entries = after;
    return {
      changes,
      lost: cause === 'lost',
      restorer: restored ? base.restorer : undefined,
      destroyed: this.#destroyed && !wasDestroyed && known === base.generation,
    };
  }

  #resetCause(base: MapSnapshot, run: Segment | undefined): ResetCause | undefined {
    if (this.#entries.size === 0) return undefined;
    if (this.#isLost(base)) return 'lost';
    if (this.#generation !== '' && base.prior === this.#generation) return 'replaced';
    if (run?.cleared) return run.cleared;
    if (base.resetRevision > this.#revision) return base.resetCause;
    return base.expired ? 'expired' : undefined;
  }

  /** Redis knows nothing of the map that is shown. */
  #isLost({ generation, prior, restored }: MapSnapshot): boolean {
    return (
      this.#entries.size > 0 && this.#generation !== '' && ![generation, prior, restored].includes(this.#generation)
    );
  }

  /** Applies a run to what is shown. */
  #applyRun(run: Segment): ReplicaOutcome {
    const changes: MapChange[] = [];
    this.#revision = run.to;
    this.#expiresAtMs = run.expiresAtMs;
    if (run.cleared) this.#clear(run.cleared, run.to, changes);
    for (const [key, value] of run.values) if (value !== UNKNOWN) this.#write(key, value, changes);
    this.#destroyed ||= run.cleared === 'destroyed';
    return { changes, destroyed: run.cleared === 'destroyed' };
  }

  #applyMessage(message: MapMessage): ReplicaOutcome {
    const changes: MapChange[] = [];
    this.#revision = message.revision;
    this.#expiresAtMs = message.expiresAtMs;
    switch (message.kind) {
      case 'set':
        this.#write(message.key, message.value, changes);
        break;
      case 'delete':
        this.#write(message.key, undefined, changes);
        break;
      case 'batch':
        for (const [key, value] of message.entries) this.#write(key, value, changes);
        break;
      case 'destroyed':
        this.#clear('destroyed', message.revision, changes);
        this.#destroyed = true;
        return { changes, destroyed: true };
      case 'reset':
      case 'expired':
        this.#clear(message.kind, message.revision, changes);
    }
    return { changes };
  }

  #write(key: string, value: string | undefined, changes: MapChange[]): void {
    const previous = this.#entries.get(key);
    if (previous === value) return;
    setOrDelete(this.#entries, key, value);
    changes.push(value === undefined ? this.#deleted(key, previous) : this.#set(key, value, previous));
  }

  #clear(cause: ResetCause, revision: number, changes: MapChange[]): void {
    if (this.#entries.size === 0) return;
    this.#entries = new Map();
    changes.push({ kind: 'reset', revision, cause });
  }

  #set(key: string, value: string, previous: string | undefined): MapChange {
    return { kind: 'set', key, value, previous, revision: this.#revision };
  }

  #deleted(key: string, previous: string | undefined): MapChange {
    return { kind: 'delete', key, previous, revision: this.#revision };
  }
}

function setOrDelete(entries: Map<string, string>, key: string, value: string | undefined): void {
  if (value === undefined) entries.delete(key);
  else entries.set(key, value);
}

function join(first: ReplicaOutcome, second: ReplicaOutcome): ReplicaOutcome {
  if (second === NOTHING) return first;
  return {
    changes: [...first.changes, ...second.changes],
    ...(second.request ? { request: second.request } : {}),
    lost: first.lost || second.lost || false,
    restorer: first.restorer ?? second.restorer,
    destroyed: first.destroyed || second.destroyed || false,
  };
}
