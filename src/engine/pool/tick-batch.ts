/**
 * What one tick of the event loop asks for, sent as one: a script that carries out many costs little more than one that
 * carries out one. A request that comes alone leaves at the end of its tick and waits for nothing.
 */
export interface TickBatchOptions<Request, Answer> {
  /** The answers in the order of the requests; one that is an error rejects its request and no other. */
  send: (requests: readonly Request[]) => Promise<readonly (Answer | Error)[]>;
  bytesOf: (request: Request) => number;
  /** Together they bound the time that one script holds Redis. */
  maxCount: number;
  maxBytes: number;
}

interface Waiting<Request, Answer> {
  request: Request;
  resolve: (answer: Answer) => void;
  reject: (error: unknown) => void;
}

export class TickBatch<Request, Answer> {
  readonly #options: TickBatchOptions<Request, Answer>;
  #waiting: Waiting<Request, Answer>[] = [];
  #bytes = 0;
  #planned = false;

  constructor(options: TickBatchOptions<Request, Answer>) {
    this.#options = options;
  }

  add(request: Request): Promise<Answer> {
    const { bytesOf, maxCount, maxBytes } = this.#options;
    const bytes = bytesOf(request);
    if (this.#waiting.length >= maxCount || this.#bytes + bytes > maxBytes) this.#leave();
    this.#bytes += bytes;
    if (!this.#planned) {
      this.#planned = true;
      process.nextTick(() => {
        this.#planned = false;
        this.#leave();
      });
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
    });
  }

  #leave(): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    this.#bytes = 0;
    const fail = (error: unknown) => {
      for (const { reject } of waiting) reject(error);
    };
    this.#options.send(waiting.map(({ request }) => request)).then(answers => {
      waiting.forEach(({ resolve, reject }, index) => {
        const answer = answers[index] as Answer | Error;
        if (answer instanceof Error) reject(answer);
        else resolve(answer);
      });
    }, fail);
  }
}
