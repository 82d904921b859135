import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../cli/base-command.ts';
import { changeFlags, duration, text } from '../../cli/flags.ts';
import { listClaimable, releaseEntries } from '../../engine/index.ts';
import { formatCount } from '../../present/human.ts';
import { pendingNoun } from '../../present/nouns/sinks.ts';

export default class SinkClaim extends BaseCommand<typeof SinkClaim> {
  static override summary = 'Take pending events away from dead consumers, for the live ones to claim at once';
  static override description =
    `Pending events of consumers whose lease is over (STALE in "sink show") would be claimed by the others after claimIdleMs of silence, by default 30s. This makes them claimable now: the next consumer that looks takes them, within a second. Without a consumer they wait until there is one. What a live consumer works on is left alone, however long it takes. No delivery is counted before they are claimed.
Lists what was taken away, as it was.`;
  static override examples = [
    '<%= config.bin %> sink claim orders billing',
    '<%= config.bin %> sink claim orders billing --idle 30s --count 100',
    '<%= config.bin %> sink claim orders billing --dry-run',
  ];
  static override impact = 'write' as const;
  static override args = {
    stream: text({ required: true, description: 'Name of the stream' }),
    sink: text({ required: true, description: 'Name of the sink' }),
  };
  static override flags = {
    idle: duration({ helpValue: '30s', description: 'Only those nobody worked on for so long' }),
    count: Flags.integer({ min: 1, helpValue: 'N', description: 'At most so many, oldest first' }),
    ...changeFlags,
  };

  async run(): Promise<void> {
    const link = await this.connect();
    const { stream, sink } = this.args;
    const options = { minIdleMs: this.flags.idle, count: this.flags.count };
    const dryRun = this.flags['dry-run'] === true;
    const entries = await (dryRun ? listClaimable : releaseEntries)(link, stream, sink, options);
    await this.output.list(pendingNoun, entries, { empty: 'Nothing is pending to a dead consumer.' });
    if (entries.length === 0) return;
    const events = formatCount(entries.length, 'event');
    await this.output.note(
      dryRun ? `would make ${events} claimable` : `made ${events} of sink "${sink}" claimable at once`,
    );
  }
}
