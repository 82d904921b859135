/**
 * A consumer's place in its sink on one stream. A group that is missing (flush, stream deleted) is made anew at the
 * durable cursor, never at the end, and reported as loss; a stream that was removed on purpose ends the membership.
 */
import type { ConsumerCommands } from './consumer-commands.ts';
import { FIRST_ID } from './entry-id.ts';
import { partitionedError } from './partitioned.ts';
import type { SinkContext } from './sink-context.ts';
import { configMismatch } from './sink-options.ts';

/** `broken`: its group or its stream is not as it must be; each beat tries to put that right. */
export type MembershipState = 'joined' | 'broken' | 'ended';

export interface MembershipHost {
  /** The stream was removed on purpose. */
  removed(): void;
  failed(error: unknown): void;
}

export class Membership {
  readonly #context: SinkContext;
  readonly #stream: string;
  readonly #commands: ConsumerCommands;
  readonly #host: MembershipHost;
  #state: MembershipState = 'broken';
  #generation = '';
  #cursor = '';
  #recovering: Promise<void> | undefined;

  constructor(context: SinkContext, stream: string, commands: ConsumerCommands, host: MembershipHost) {
    this.#context = context;
    this.#stream = stream;
    this.#commands = commands;
    this.#host = host;
  }

  get state(): MembershipState {
    return this.#state;
  }

  /** @throws ConflictError `CONFIG_MISMATCH`, `PARTITIONED`; WrongTypeError, RedisUnavailableError. */
  async join(start: string): Promise<void> {
    await this.#join(start, false);
  }

  /** Joins again after the group was found missing. Never throws: what fails is reported and tried again by a beat. */
  recover(): Promise<void> {
    this.#recovering ??= this.#recover().finally(() => {
      this.#recovering = undefined;
    });
    return this.#recovering;
  }

  /** Where the sink stands, kept for the case that Redis forgets it. */
  noteCursor(cursor: string): void {
    this.#cursor = cursor;
  }

  end(): void {
    this.#state = 'ended';
  }

  async #recover(): Promise<void> {
    if (this.#state === 'ended') return;
    this.#state = 'broken';
    try {
      await this.#join(FIRST_ID, true);
    } catch (error) {
      this.#host.failed(error);
    }
    this.#context.wake();
  }

  async #join(start: string, recovering: boolean): Promise<void> {
    const { sink, config, link, tellLoss } = this.#context;
    const stream = this.#stream;
    const known = { generation: this.#generation, cursor: this.#cursor };
    const reply = await this.#commands.join({ config, start, recovering, ...known });
    if (reply.status === 'MISMATCH') throw configMismatch(sink, stream, config, reply.config);
    if (reply.status === 'PARTITIONED') throw partitionedError(stream, reply.count);
    if (reply.status === 'REMOVED') return this.#host.removed();
    const replaced = known.generation !== '' && reply.generation !== known.generation;
    this.#generation = reply.generation;
    this.#cursor = reply.cursor;
    if (this.#state === 'broken') this.#state = 'joined';
    if (reply.recreated === 1 || replaced) {
      tellLoss({ stream, cursor: reply.cursor, reason: replaced ? 'stream' : 'group' });
    }
    if (this.state === 'joined') await link.registry.add('streams', stream);
  }
}
