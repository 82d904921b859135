import { BaseCommand } from '../../cli/base-command.ts';
import { changeFlags, poolFlags, text } from '../../cli/flags.ts';
import { drainWorkers } from '../../cli/worker/drain-workers.ts';

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
    const what = `${ids.length === 1 ? `worker ${ids[0]}` : `${ids.length} workers`} of pool "${this.pool}"`;
    if (await this.planned(`drain ${what}`)) return;
    await this.confirm(`Drain ${what}`);
    await drainWorkers(await this.connect(), this.pool, ids, this.output);
  }
}
