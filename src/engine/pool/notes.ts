import { jobKeyBytes } from './job-key.ts';
import type { JobRun } from './job-run.ts';
import { type PersistOptions, persist } from './persist.ts';
import type { Shard } from './shard.ts';

/**
 * Delivers the notifications of jobs: of one job one after the other and in order, of different jobs side by side. A
 * notification leaves Redis when it was handled, so a crash delivers it again rather than never; as does a loss, after which
 * nothing is dropped that was not given since.
 */
export class NoteDelivery {
  readonly #shard: Shard;
  readonly #options: PersistOptions;
  readonly #deliver: (run: JobRun, payload: Buffer) => Promise<void>;
  readonly #busy = new Map<JobRun, { again: boolean }>();

  constructor(shard: Shard, options: PersistOptions, deliver: (run: JobRun, payload: Buffer) => Promise<void>) {
    this.#shard = shard;
    this.#options = options;
    this.#deliver = deliver;
  }

  /** There may be notifications for the job. */
  wake(run: JobRun): void {
    const busy = this.#busy.get(run);
    if (busy) {
      busy.again = true;
      return;
    }
    const state = { again: false };
    this.#busy.set(run, state);
    this.#run(run, state)
      .catch(this.#options.onError)
      .finally(() => this.#busy.delete(run));
  }

  async #run(run: JobRun, state: { again: boolean }): Promise<void> {
    const key = jobKeyBytes(run.key);
    let given = { given_in: '', first: 0 };
    let handled = 0;
    const take = ({ given_in, first }: typeof given, count: number) =>
      this.#shard.takeNotes(key, run.token, given_in, first, count);
    do {
      state.again = false;
      const done = [given, handled] as const;
      const reply = await persist(this.#options, () => take(...done));
      if (reply?.status !== 'NOTES') return;
      given = reply;
      handled = 0;
      for (const payload of reply.list as Buffer[]) {
        if (!run.running) break;
        await this.#deliver(run, payload);
        handled++;
      }
    } while ((handled > 0 || state.again) && run.running);
    if (handled > 0) await take(given, handled);
  }
}
