import { BaseCommand } from '../../cli/base-command.ts';
import { changeFlags, poolFlags, text } from '../../cli/flags.ts';
import { progressNotes } from '../../cli/pool/progress.ts';
import { linkOptions, planRebalance, type RebalancePlan, rebalancePool, TimeoutError } from '../../engine/index.ts';
import { formatCount, formatDuration } from '../../present/human.ts';
import { balanceNoun, moveNoun, rebalancePlanNoun } from '../../present/nouns/moves.ts';

const TIMEOUT_MS = 60_000;

export default class PoolRebalance extends BaseCommand<typeof PoolRebalance> {
  static override summary = 'Bring running services to the workers they belong to, or say which would move';
  static override description =
    `Services move by themselves when workers come and go. This makes every worker look at all its jobs again, and waits until none has one to give away, at most --timeout (default ${TIMEOUT_MS / 1000}s). Tasks are not moved.
With --dry-run it only says which jobs would move, from which worker to which, and what that means for each worker.`;
  static override examples = [
    '<%= config.bin %> pool rebalance --dry-run',
    '<%= config.bin %> pool rebalance video --dry-run --json',
    '<%= config.bin %> pool rebalance --timeout 5m',
  ];
  static override impact = 'write' as const;
  static override args = { name: text({ description: 'Pool; default the one of --pool' }) };
  static override flags = { ...poolFlags, ...changeFlags };

  async run(): Promise<void> {
    const pool = this.args.name ?? this.pool;
    const link = await this.connect({ timeoutMs: linkOptions.commandTimeoutMs.default });
    if (this.flags['dry-run']) return this.#tell(await planRebalance(link, pool), pool);
    const timeoutMs = this.settings.timeoutMs?.value ?? TIMEOUT_MS;
    const startMs = performance.now();
    const tell = progressNotes(this.output);
    const { moves } = await rebalancePool(link, pool, {
      timeoutMs,
      onProgress: plan => tell(`${formatCount(plan.moves.length, 'job')} to move`),
    });
    if (moves.length > 0) {
      const what = `${formatCount(moves.length, 'job')} of pool "${pool}"`;
      throw new TimeoutError(`${what} did not move within ${formatDuration(timeoutMs)}`, {
        hint: `"ponos pool rebalance ${pool} --dry-run" shows which.`,
      });
    }
    const tookMs = Math.round(performance.now() - startMs);
    await this.done(`pool "${pool}" is balanced, after ${formatDuration(tookMs)}`, pool, { tookMs });
  }

  async #tell(plan: RebalancePlan, pool: string): Promise<void> {
    const { format } = this.output.looks;
    if (format === 'json' || format === 'yaml') return this.output.item(rebalancePlanNoun, plan);
    await this.output.list(moveNoun, plan.moves, { empty: `Every job of pool "${pool}" is where it belongs.` });
    if ((format !== 'table' && format !== 'wide') || plan.moves.length === 0) return;
    await this.output.line('');
    await this.output.list(balanceNoun, plan.workers);
  }
}
