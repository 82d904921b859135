import { BaseCommand } from '../../cli/base-command.ts';
import { changeFlags, poolFlags, text } from '../../cli/flags.ts';
import { drainWorkers } from '../../cli/worker/drain-workers.ts';
import { showWorker } from '../../engine/index.ts';

export default class WorkerDrain extends BaseCommand<typeof WorkerDrain> {
  static override summary = 'Ask workers to hand on their jobs and leave the pool';
  static override description =
    'The worker takes no more jobs, hands on those it has, and its "worker start" ends with 0. It is the same as the first Ctrl-C there.';
  static override examples = [
    '<%= config.bin %> worker drain 4kq0r8w2n5tyx1cz --yes',
    '<%= config.bin %> worker list -o name | xargs <%= config.bin %> worker drain --yes',
  ];
  static override impact = 'destroy' as const;
  static override args = {
    ids: text({ required: true, multiple: true, description: 'Workers, as in the first column of worker list' }),
  };
  static override flags = { ...poolFlags, ...changeFlags };

  async run(): Promise<void> {
    const ids = [...new Set(this.args.ids)];
    const describe = (those: readonly string[]) =>
      `${those.length === 1 ? `worker ${those[0]}` : `${those.length} workers`} of pool "${this.pool}"`;
    const link = await this.connect();
    const look = (id: string) => showWorker(link, this.pool, id);
    if (await this.plannedEach(ids, look, those => `drain ${describe(those)}`)) return;
    await this.confirm(`Drain ${describe(ids)}`);
    await drainWorkers(link, this.pool, ids, this.output);
  }
}
