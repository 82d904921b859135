import { BaseCommand } from '../../../cli/base-command.ts';
import { changeFlags, poolFlags } from '../../../cli/flags.ts';
import { progressNotes } from '../../../cli/pool/progress.ts';
import { applyRoutes, planRoutes } from '../../../engine/index.ts';
import { formatCount } from '../../../present/human.ts';
import { regroupingNoun } from '../../../present/nouns/moves.ts';

export default class PoolRouteApply extends BaseCommand<typeof PoolRouteApply> {
  static override summary = 'Move the jobs that are there to the groups that the routes say';
  static override description =
    `A change of the routes holds for dispatches from then on and moves nothing by itself; this does. A job that waits changes queue at once. A service that runs is stopped by its worker, then started by one of its new group; without a worker there it waits. A task is not interrupted: it changes group when it is next released or tried again.
With --dry-run each job that would change its group is listed.`;
  static override examples = [
    '<%= config.bin %> pool route apply --dry-run',
    '<%= config.bin %> pool route apply --pool video',
  ];
  static override impact = 'write' as const;
  static override flags = { ...poolFlags, ...changeFlags };

  async run(): Promise<void> {
    const { pool } = this;
    const link = await this.connect();
    if (this.flags['dry-run']) {
      const plan = await planRoutes(link, pool);
      return this.output.list(regroupingNoun, plan, { empty: `Every job of pool "${pool}" is in its group.` });
    }
    const tell = progressNotes(this.output);
    const { totalCount, queuedCount, askedCount, skippedCount } = await applyRoutes(link, pool, {
      onProgress: ({ totalCount, queuedCount, askedCount, skippedCount }) =>
        tell(`${queuedCount + askedCount + skippedCount} of ${totalCount}`),
    });
    const skipped = skippedCount > 0 ? `, ${skippedCount} had ended` : '';
    await this.done(
      `${formatCount(totalCount, 'job')} of pool "${pool}" to another group: ${queuedCount} waiting, ${askedCount} with a worker, which was told${skipped}`,
      pool,
      { totalCount, queuedCount, askedCount, skippedCount },
    );
  }
}
