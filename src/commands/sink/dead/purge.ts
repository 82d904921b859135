import * as Flags from '@oclif/core/flags';
import { ActResults } from '../../../cli/act-results.ts';
import { BaseCommand } from '../../../cli/base-command.ts';
import { changeFlags, text } from '../../../cli/flags.ts';
import { chooseLetters, deadArgs, deadFilterFlags, describeLetters } from '../../../cli/sink/dead-flags.ts';
import { NotFoundError, purgeDead, showDead } from '../../../engine/index.ts';
import { deadLetterResultNoun } from '../../../present/nouns/dead-letters.ts';

export default class SinkDeadPurge extends BaseCommand<typeof SinkDeadPurge> {
  static override summary = 'Remove dead letters for good';
  static override description =
    'Their events stay in the stream, if they are there still, and are never given to this sink again. Asks first; --yes answers.';
  static override examples = [
    '<%= config.bin %> sink dead purge orders billing --until 7d --yes',
    "<%= config.bin %> sink dead purge orders billing --reason 'no card' --dry-run",
    '<%= config.bin %> sink dead purge orders billing --all',
  ];
  static override impact = 'destroy' as const;
  static override args = { ...deadArgs, ids: text({ multiple: true, description: 'DEAD-IDs of the dead letters' }) };
  static override flags = {
    all: Flags.boolean({ description: 'All dead letters of the sink' }),
    ...deadFilterFlags,
    ...changeFlags,
  };

  async run(): Promise<void> {
    const link = await this.connect();
    const { stream, sink, ids } = this.args;
    const { all, reason, since, until } = this.flags;
    const chosen = await chooseLetters(link, stream, sink, { ids, all, reason, since, until });
    const what = describeLetters(stream, sink, chosen);
    // Those of a list are there.
    const look = async (id: string) => (ids ?? []).length === 0 || showDead(link, stream, sink, id);
    if (await this.plannedEach(chosen, look, those => `purge ${describeLetters(stream, sink, those)}`)) return;
    if (chosen.length > 0) await this.confirm(`Purge ${what}`);
    const results = new ActResults(this.output, deadLetterResultNoun, { done: 'purged', thing: 'dead letter' });
    await purgeDead(link, stream, sink, chosen, (deadId, purged) =>
      results.add(
        { deadId, status: 'purged', id: null, error: null },
        purged ? undefined : new NotFoundError('dead letter', deadId),
      ),
    );
    await results.tell();
  }
}
