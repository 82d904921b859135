/** What was removed to make room for events that were published, although a sink had not acknowledged it. */
import { formatCount } from '../../present/human.ts';
import type { Output } from '../output.ts';

export class Losses {
  readonly #bySink = new Map<string, number>();

  /** For the event `dataLoss` of a stream. */
  readonly add = ({ sink, count }: { sink: string; count: number }): void => {
    this.#bySink.set(sink, (this.#bySink.get(sink) ?? 0) + count);
  };

  async tell(output: Output): Promise<void> {
    for (const [sink, count] of this.#bySink) {
      await output.warn(`to make room, ${formatCount(count, 'event')} went that sink "${sink}" had not acknowledged`);
    }
  }
}
