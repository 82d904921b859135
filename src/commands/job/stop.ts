import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../cli/base-command.ts';
import { changeFlags, poolFlags, text } from '../../cli/flags.ts';
import { stopJobs } from '../../cli/job/stop-jobs.ts';
import { checkJob, linkOptions, PoolClient } from '../../engine/index.ts';

export default class JobStop extends BaseCommand<typeof JobStop> {
  static override summary = 'Stop jobs for good, payloads included';
  static override description =
    'A job that waits ends at once. One that runs is asked to stop, and the request survives a crash of its worker; --wait waits until it has, at most --timeout (default 30s).';
  static override examples = [
    '<%= config.bin %> job stop tenant-7 --yes --wait',
    '<%= config.bin %> job list --group heavy -o name | xargs <%= config.bin %> job stop --yes',
  ];
  static override impact = 'destroy' as const;
  static override aliases = ['job:rm'];
  static override args = { keys: text({ required: true, multiple: true, description: 'Keys of the jobs' }) };
  static override flags = {
    ...poolFlags,
    wait: Flags.boolean({ description: 'Wait until they have stopped' }),
    ...changeFlags,
  };

  async run(): Promise<void> {
    const keys = [...new Set(this.args.keys)];
    const describe = (those: readonly string[]) =>
      `${those.length === 1 ? `job "${those[0]}"` : `${those.length} jobs`} of pool "${this.pool}"`;
    const wait = this.flags.wait === true;
    const link = await this.connect(wait ? { timeoutMs: linkOptions.commandTimeoutMs.default } : {});
    const look = (key: string) => checkJob(link, this.pool, key);
    if (await this.plannedEach(keys, look, those => `stop ${describe(those)}`)) return;
    await this.confirm(`Stop ${describe(keys)}`);
    const client = await PoolClient.open(link, this.pool, { allowUnsafeEviction: true });
    this.defer(() => client.close());
    const options = { wait, timeoutMs: this.settings.timeoutMs?.value };
    await stopJobs(client, keys, this.output, options);
  }
}
