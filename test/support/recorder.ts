/** A handler that writes down what happens to it, and finds two of a key at work at once. */
import type { Job, ServiceHandler, StopReason } from '../../src/engine/pool/handler.ts';

export interface Happening {
  what: 'start' | 'stop' | 'note';
  worker: string;
  key: string;
  token: number;
  detail: string;
}

export class Recorder {
  readonly happenings: Happening[] = [];
  readonly overlaps: string[] = [];
  readonly #running = new Map<string, { worker: string; token: number }>();

  /** One handler for each worker; `worker` is a name for the test. */
  service(
    worker: string,
    hooks: { onStop?: (job: Job, reason: StopReason) => Promise<void> | void } = {},
  ): ServiceHandler {
    return {
      start: job => {
        const present = this.#running.get(job.key);
        if (present) this.overlaps.push(`${job.key}: ${worker} starts beside ${present.worker}`);
        if (present && present.token >= job.token)
          this.overlaps.push(`${job.key}: token ${job.token} after ${present.token}`);
        this.#running.set(job.key, { worker, token: job.token });
        this.#note('start', worker, job, String(job.attempt));
      },
      stop: async (job, reason) => {
        await hooks.onStop?.(job, reason);
        const present = this.#running.get(job.key);
        if (present?.token === job.token) this.#running.delete(job.key);
        this.#note('stop', worker, job, reason);
      },
      notify: (job, payload) => this.#note('note', worker, job, payload.toString()),
    };
  }

  /** Who runs a key now, by the names of the test. */
  owner(key: string): string | undefined {
    return this.#running.get(key)?.worker;
  }

  get runningCount(): number {
    return this.#running.size;
  }

  runningOn(worker: string): string[] {
    return [...this.#running].filter(([, at]) => at.worker === worker).map(([key]) => key);
  }

  of(key: string): string[] {
    return this.happenings
      .filter(happening => happening.key === key)
      .map(({ what, worker, detail }) => `${what} ${worker} ${detail}`);
  }

  #note(what: Happening['what'], worker: string, job: Job, detail: string): void {
    this.happenings.push({ what, worker, key: job.key, token: job.token, detail });
  }
}
