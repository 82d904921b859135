import { BaseCommand } from '../../cli/base-command.ts';
import { changeFlags, evictionFlags, poolFlags, text } from '../../cli/flags.ts';
import { payloadOf } from '../../cli/stdin.ts';
import { checkJob, PoolClient } from '../../engine/index.ts';
import { safeText } from '../../present/safe-text.ts';

export default class JobNotify extends BaseCommand<typeof JobNotify> {
  static override summary = 'Send a message to the handler of a job';
  static override description =
    'Messages of one job arrive in order, also when the job waits or moves meanwhile. The handler takes them with notify(job, payload). One that has no such function, as that of "worker start --exec", gets none, and nobody is told.';
  static override examples = [
    '<%= config.bin %> job notify tenant-7 reload',
    'cat settings.json | <%= config.bin %> job notify tenant-7 -',
  ];
  static override impact = 'write' as const;
  static override args = {
    key: text({ required: true, description: 'Key of the job' }),
    payload: text({ required: true, description: 'Message, or - for standard input' }),
  };
  static override flags = { ...poolFlags, ...evictionFlags, ...changeFlags };

  async run(): Promise<void> {
    const { key } = this.args;
    const link = await this.connect();
    const what = `notify job "${key}" of pool "${this.pool}"`;
    if (await this.planned(what, () => checkJob(link, this.pool, key))) return;
    const payload = await payloadOf(this.args.payload);
    const client = await PoolClient.open(link, this.pool, {
      allowUnsafeEviction: this.flags['allow-unsafe-eviction'] === true,
    });
    this.defer(() => client.close());
    await client.notify(key, payload, { timeoutMs: this.settings.timeoutMs?.value });
    await this.done(`job "${safeText(key)}" will be notified`, key, { pool: this.pool });
  }
}
