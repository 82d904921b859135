/**
 * A connection that waits in Redis for entries of one slot. It is of its own, because a blocking read stalls whatever
 * shares its socket; it can be woken, because what it waits for changes; and it says when it has been connected anew,
 * because what Redis delivered in between may never have arrived.
 *
 * In a cluster it goes to the very node that has the slot: who is blocked there is told when the slot goes elsewhere, and
 * the wait goes on at the node that was named. While a slot moves its keys are in two places; then the wait is where its
 * keys are, over a second connection that ends with the move. A connection that is lost is not opened again but sought
 * anew, because by then another node may have the slot.
 */
import { ClosedError, RedisUnavailableError } from '../core/errors.ts';
import type { Connection } from './connection.ts';
import { redirectedTo, redisErrorWord } from './errors.ts';
import type { Argument } from './script.ts';
import { nodeName, type SlotMap } from './slot-map.ts';
import type { RedisNode } from './url.ts';

export interface BlockingOptions {
  /** In a cluster: which node has what. */
  slots: SlotMap | undefined;
  /** Opens a connection, to that node of a cluster or to where the link goes. */
  open: (node: RedisNode | undefined) => Promise<Connection>;
  /** Ordinary commands, which are never blocked. */
  commands: Connection;
}

interface Place {
  readonly node: RedisNode | undefined;
  readonly connection: Connection;
  /** What CLIENT UNBLOCK calls it, once known; 0 when it may not be asked. */
  clientId: number | undefined;
}

type Command = readonly [command: string, ...args: Argument[]];

/** Redirections of one read that are followed. */
const MOST_REDIRECTIONS = 8;

export class BlockingConnection {
  readonly #options: BlockingOptions;
  readonly #key: string;
  /** Where the slot is; undefined when it has to be sought. */
  #home: Place | undefined;
  /** Where the keys are while the slot moves. */
  #guest: Place | undefined;
  #opening: Promise<Place> | undefined;
  #waitingAt: Place | undefined;
  /** The place was lost before: whoever has the slot now must be asked for. */
  #doubted = false;
  #connects = 0;
  #closed = false;

  private constructor(options: BlockingOptions, key: string) {
    this.#options = options;
    this.#key = key;
  }

  /** @throws RedisUnavailableError, RedisDeniedError */
  static async open(options: BlockingOptions, key: string): Promise<BlockingConnection> {
    const blocking = new BlockingConnection(options, key);
    await blocking.#seek();
    return blocking;
  }

  /** Counts connections: a changed value means a new one. */
  get connects(): number {
    return this.#connects;
  }

  get ready(): boolean {
    return this.#home?.connection.ready ?? false;
  }

  /**
   * Resolves when a read can be sent, or `signal` aborts.
   * @throws RedisUnavailableError when the node that should have the slot cannot be reached.
   */
  async whenReady(signal: AbortSignal): Promise<void> {
    if (this.#closed || signal.aborted) return;
    const home = this.#home ?? (await this.#seek());
    await home.connection.whenReady(signal);
  }

  /** Sends a command that may wait in Redis for `blockMs`. All its keys are in the slot. */
  async call(blockMs: number, command: string, ...args: Argument[]): Promise<unknown> {
    const [reply] = await this.callTogether(blockMs, [command, ...args]);
    return reply;
  }

  /**
   * Sends a command that may wait and, in the same packet, others that Redis carries out right after it: all by one node,
   * or this fails. All their keys are in the slot.
   */
  async callTogether(blockMs: number, ...commands: Command[]): Promise<unknown[]> {
    for (let redirections = 0; ; redirections++) {
      const place = this.#home ?? (await this.#seek());
      try {
        return await this.#callAt(place, blockMs, commands);
      } catch (error) {
        const to = redirectedTo(error, place.node);
        if (!to) throw error;
        if (redirections === MOST_REDIRECTIONS) {
          throw new RedisUnavailableError('the slot of a stream is nowhere to be found', { cause: error });
        }
        if (to.lasting) {
          await this.#moveTo(to.node, place);
          continue;
        }
        this.#guest = await this.#guestAt(to.node);
        try {
          return await this.#callAt(this.#guest, blockMs, commands, true);
        } catch (refusal) {
          // The move has ended meanwhile: whoever has the slot now says so.
          if (redisErrorWord(refusal) !== 'MOVED') throw refusal;
        }
      }
    }
  }

  /** Ends the wait under way as if its time were over. Without the permission it runs out by itself. */
  async wake(): Promise<void> {
    const place = this.#waitingAt;
    if (!place?.clientId) return;
    await this.#options.commands.callAt(place.node, 'CLIENT', 'UNBLOCK', place.clientId).catch(() => {});
  }

  /** Cuts the connection; a wait under way fails. */
  async close(): Promise<void> {
    this.#closed = true;
    const places = [this.#home, this.#guest];
    this.#home = undefined;
    this.#guest = undefined;
    await Promise.all(places.map(place => place?.connection.close()));
  }

  async #callAt(place: Place, blockMs: number, commands: readonly Command[], asking = false): Promise<unknown[]> {
    try {
      if (blockMs > 0) {
        await this.#learnId(place);
        this.#waitingAt = place;
      }
      const sent = commands.map(async ([command, ...args]) => {
        const [, reply] = await Promise.all([
          asking ? place.connection.call('ASKING') : undefined,
          place.connection.callBlocking(blockMs, command, ...args),
        ]);
        return reply;
      });
      return await Promise.all(sent);
    } catch (error) {
      if (!(error instanceof ClosedError) || this.#closed) throw error;
      // Given up here, because it was lost.
      throw new RedisUnavailableError(`the connection was lost under ${commands[0]?.[0]}`, {
        uncertain: true,
        cause: error,
      });
    } finally {
      this.#waitingAt = undefined;
    }
  }

  async #learnId(place: Place): Promise<void> {
    place.clientId ??= await place.connection.callBlocking(0, 'CLIENT', 'ID').then(Number, error => {
      if (error instanceof RedisUnavailableError) throw error;
      return 0;
    });
  }

  /** Goes to the node that has the slot. One at a time. */
  #seek(): Promise<Place> {
    this.#opening ??= this.#seekOnce().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #seekOnce(): Promise<Place> {
    const { slots } = this.#options;
    if (this.#doubted) await slots?.refresh();
    this.#doubted = true;
    const owner = slots?.ownerOf(this.#key);
    if (slots && !owner)
      throw new RedisUnavailableError('no node of the cluster is known to have the slot of a stream');
    this.#home = await this.#open(owner);
    return this.#home;
  }

  /** The slot is at another node for good. */
  async #moveTo(node: RedisNode, from: Place): Promise<void> {
    // The map of everybody else learns it too; nobody here waits for that.
    this.#options.slots?.refresh().catch(() => {});
    const guest = this.#guest?.node && nodeName(this.#guest.node) === nodeName(node) ? this.#guest : undefined;
    if (this.#guest !== guest) await this.#guest?.connection.close();
    this.#guest = undefined;
    this.#home = undefined;
    await from.connection.close();
    this.#home = guest ?? (await this.#open(node));
  }

  async #guestAt(node: RedisNode): Promise<Place> {
    const guest = this.#guest;
    if (guest?.node && nodeName(guest.node) === nodeName(node)) return guest;
    await guest?.connection.close();
    return this.#open(node);
  }

  async #open(node: RedisNode | undefined): Promise<Place> {
    const connection = await this.#options.open(node);
    const place: Place = { node, connection, clientId: undefined };
    if (this.#closed) {
      await connection.close();
      throw new ClosedError('connection');
    }
    this.#connects++;
    connection.events.on('ready', () => {
      this.#connects++;
      place.clientId = undefined;
    });
    if (node) connection.events.on('lost', () => this.#lose(place));
    return place;
  }

  #lose(place: Place): void {
    if (this.#home === place) this.#home = undefined;
    if (this.#guest === place) this.#guest = undefined;
    place.connection.close().catch(() => {});
  }
}
