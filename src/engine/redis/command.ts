import { Command, type Redis } from 'ioredis';
import type { Deadlines } from './deadlines.ts';
import { isRedirection } from './errors.ts';

/**
 * A command as this module sends it: its time limit is kept by its connection, and texts that follow each other are
 * written as one. The client converts and measures each alone, which for a short command with one value in bytes is a
 * tenth of its cost.
 */
export class EngineCommand extends Command {
  readonly #deadlines: Deadlines;
  #timed = false;
  #written = false;
  /** The attempt that reached nobody and is repeated by this one. */
  #first: EngineCommand | undefined;
  #node: Redis | undefined;
  /** Nodes of a cluster refused it so far; sent again, it is likely to be refused again. */
  #refused = false;
  #over = false;

  constructor(deadlines: Deadlines, name: string, args: (string | Buffer | number)[]) {
    super(name, args);
    this.#deadlines = deadlines;
  }

  /**
   * It was given to a socket: from then on it may have been carried out, whatever became of its reply. Not any more when
   * a node of a cluster answered that it is not the one to ask, until another one gets it.
   */
  get written(): boolean {
    return this.#written;
  }

  /** In a cluster: the node that had it last. */
  get node(): Redis | undefined {
    return this.#node;
  }

  /** The same once more. What becomes of it counts for this one too. */
  again(): EngineCommand {
    const next = new EngineCommand(this.#deadlines, this.name, this.args as (string | Buffer | number)[]);
    next.#first = this.#first ?? this;
    return next;
  }

  /** The client of a cluster gives it to this node, the first or one that another node named. */
  handedTo(node: Redis): void {
    const watched = this.#node !== undefined;
    this.#node = node;
    if (this.#first) this.#first.#node = node;
    if (watched) return;
    const { reject } = this;
    this.reject = error => {
      if (isRedirection(error)) {
        this.#mark(false);
        this.#refused = true;
      }
      reject(this.#over && isRedirection(error) ? timedOut() : error);
    };
  }

  #mark(written: boolean): void {
    this.#written = written;
    if (this.#first) this.#first.#written = written;
  }

  override setTimeout(limitMs: number): void {
    if (this.#timed) return;
    this.#timed = true;
    this.#deadlines.add(this, limitMs);
  }

  /**
   * What was refused time and again is on its way for a moment of each. When that is the moment its time is over, the answer
   * is waited for: it will say that nothing was done, where giving up would leave that open.
   */
  expire(): boolean {
    if (this.#refused && this.#written && !this.#over) {
      this.#over = true;
      return false;
    }
    this.reject(timedOut());
    return true;
  }

  override toWritable(): string | Buffer {
    this.#mark(true);
    let text = `*${this.args.length + 1}\r\n$${Buffer.byteLength(this.name)}\r\n${this.name}\r\n`;
    let pieces: (string | Buffer)[] | undefined;
    for (const arg of this.args as (string | Buffer)[]) {
      if (typeof arg === 'string') text += `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`;
      else {
        pieces ??= [];
        pieces.push(`${text}$${arg.length}\r\n`, arg);
        text = '\r\n';
      }
    }
    if (!pieces) return text;
    pieces.push(text);
    return joinPieces(pieces);
  }
}

/** As the client says it. */
function timedOut(): Error {
  return new Error('Command timed out');
}

function joinPieces(pieces: readonly (string | Buffer)[]): Buffer {
  let bytes = 0;
  for (const piece of pieces) bytes += typeof piece === 'string' ? Buffer.byteLength(piece) : piece.length;
  const joined = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const piece of pieces) {
    at += typeof piece === 'string' ? joined.write(piece, at) : piece.copy(joined, at);
  }
  return joined;
}
