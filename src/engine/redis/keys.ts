/**
 * Every key name on one page. `{...}` is the hash tag: all keys of one map, stream or pool shard share a slot.
 * The prefix stands outside the tag, so that an ACL rule `~ponos:*` covers all. Names are checked and plain; bytes of
 * users (job keys, operation ids) stand only at the end of a name, so that no separator can be forged.
 */
import { checkName } from '../core/names.ts';

export type RegistryKind = 'maps' | 'streams' | 'pools';

export class KeySpace {
  readonly prefix: string;

  constructor(prefix = 'ponos') {
    this.prefix = checkName('key prefix', prefix);
  }

  /** Set of the names that exist, of one kind: what listing reads instead of scanning the keyspace. */
  registry(kind: RegistryKind): string {
    return `${this.prefix}:registry:${kind}`;
  }

  map(name: string) {
    const base = `${this.prefix}:{map:${checkName('map', name)}}`;
    return {
      base,
      /** hash, user entries only */
      data: `${base}:data`,
      /** hash: generation, revision, state, time to live, byte count */
      meta: `${base}:meta`,
      /** hash with expiry: results of recent writes, by the lane of a client */
      ops: `${base}:ops`,
      /** hash with expiry: the replica that writes back what Redis lost */
      restorer: `${base}:restorer`,
      /** hash with expiry: entries on their way back, until all are there */
      stage: `${base}:stage`,
      /** sharded pub/sub channel */
      changes: `${base}:changes`,
    };
  }

  stream(name: string) {
    const base = `${this.prefix}:{stream:${checkName('stream', name)}}`;
    return {
      base,
      /** stream: the events */
      events: `${base}:events`,
      /** hash: generation, retention, counters */
      meta: `${base}:meta`,
      /** hash: number of partitions; the stream itself has no events then, its partitions do */
      partitions: `${base}:partitions`,
      /** hash: per sink its configuration and durable cursor */
      sinks: `${base}:sinks`,
      /** zset consumer -> lease deadline */
      consumers: (sink: string) => `${base}:consumers:${checkName('sink', sink)}`,
      consumersPrefix: `${base}:consumers:`,
      /** hash with expiry: ids under which events were published, by generation and time */
      oncePrefix: `${base}:once:`,
      /** stream: dead letters */
      dead: (sink: string) => `${base}:dead:${checkName('sink', sink)}`,
      deadPrefix: `${base}:dead:`,
    };
  }

  /** What the names of the keys of all shards of a pool begin with; the number of the shard follows. */
  poolPrefix(name: string): string {
    return `${this.prefix}:{pool:${checkName('pool', name)}:`;
  }

  pool(name: string, shard = 0) {
    const base = `${this.poolPrefix(name)}${shard}}`;
    return {
      base,
      /** hash: generation, limits, lease parameters, logical clock, epoch, token high-water, count; or the mark of a removal */
      config: `${base}:cfg`,
      /** zset worker -> lease deadline on the logical clock */
      members: `${base}:members`,
      /** hash: what is kept of each worker: `node:`, `incarnation:`, `info:`, `mail:` and others, each followed by its name */
      memberInfo: `${base}:member-info`,
      /** hash: one job; the key's bytes follow the prefix */
      job: (key: KeyBytes) => endingIn(`${base}:job:`, key),
      jobPrefix: `${base}:job:`,
      /** zset job key -> not-before on the logical clock, of the waiting jobs of a worker group */
      pending: (group: string) => `${base}:pending:${group}`,
      pendingPrefix: `${base}:pending:`,
      /** set of the worker groups whose jobs ever waited */
      groups: `${base}:groups`,
      /** set of the job keys recorded to a worker */
      owned: (worker: string) => `${base}:own:${worker}`,
      ownedPrefix: `${base}:own:`,
      /** list of notifications of a job */
      notes: (key: KeyBytes) => endingIn(`${base}:notes:`, key),
      notesPrefix: `${base}:notes:`,
      /** hash with expiry: digest and outcome of a dispatch */
      dispatch: (id: string) => `${base}:dispatch:${id}`,
      dispatchPrefix: `${base}:dispatch:`,
      /** zset job key -> wall ms of its death, capped */
      dead: `${base}:dead`,
      /** hash: record of a dead job, as it was */
      deadJob: (key: KeyBytes) => endingIn(`${base}:dead-job:`, key),
      deadJobPrefix: `${base}:dead-job:`,
      /** what was set aside because it cannot be repaired, by a script that met it or by an operator; under the rest of its name */
      asidePrefix: `${base}:aside:`,
      /** zset schedule or ticker -> wall ms when to look at it; infinity for tickers and while paused */
      schedules: `${base}:schedules`,
      /** hash: one schedule or ticker: specification, next tick, what to dispatch, claim, counters */
      schedule: (schedule: string) => `${base}:schedule:${checkName('schedule', schedule)}`,
      schedulePrefix: `${base}:schedule:`,
      /** stream of what happened, capped; never read by the protocol */
      ledger: `${base}:ledger`,
      /** sharded pub/sub: epochs and pending work */
      events: `${base}:events`,
      /** sharded pub/sub: hints to one worker */
      mailbox: (worker: string) => `${base}:mailbox:${worker}`,
      mailboxPrefix: `${base}:mailbox:`,
      /** sharded pub/sub: outcomes for one node or client */
      replies: (node: string) => `${base}:replies:${node}`,
      repliesPrefix: `${base}:replies:`,
    };
  }
}

/** A key of a user: its bytes, or a text that is valid Unicode and so stands for its UTF-8. */
export type KeyBytes = Uint8Array | string;

function endingIn(prefix: string, key: KeyBytes): Buffer | string {
  return typeof key === 'string' ? prefix + key : Buffer.concat([Buffer.from(prefix), key]);
}
