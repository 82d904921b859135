import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../cli/base-command.ts';
import { duration, poolFlags, text } from '../../cli/flags.ts';
import { tailLedger } from '../../cli/pool/tail-ledger.ts';
import { poolEventNoun } from '../../present/nouns/pools.ts';

export default class PoolEvents extends BaseCommand<typeof PoolEvents> {
  static override summary = 'Tell what happened in a pool, oldest first';
  static override description =
    'Taken from the ledger of the pool, which keeps only the latest entries: who joined, left, drained; which jobs were dispatched, assigned, started, moved, stopped, failed.';
  static override examples = [
    '<%= config.bin %> pool events --last 20',
    '<%= config.bin %> pool events -f --key tenant-7',
    '<%= config.bin %> pool events video -f --json',
  ];
  static override streaming = true;
  static override args = { name: text({ description: 'Pool; default the one of --pool' }) };
  static override flags = {
    ...poolFlags,
    follow: Flags.boolean({ char: 'f', description: 'Go on with what happens from now on, until Ctrl-C' }),
    last: Flags.integer({ min: 0, helpValue: 'N', description: 'Begin with so many of the latest, default 100' }),
    key: Flags.string({ helpValue: 'KEY', description: 'Only about this job' }),
    worker: Flags.string({ helpValue: 'ID', description: 'Only about this worker' }),
    type: Flags.string({ helpValue: 'WORD', description: 'Only of this kind, e.g. moved' }),
    every: duration({ description: 'Pause between two looks with --follow, default 500ms', dependsOn: ['follow'] }),
  };

  async run(): Promise<void> {
    const { follow, last, key, worker, type, every } = this.flags;
    const link = await this.connect();
    const events = tailLedger(link, this.args.name ?? this.pool, {
      last: last ?? 100,
      everyMs: every ?? 500,
      signal: follow ? this.untilInterrupted() : undefined,
    });
    const out = this.output.stream(poolEventNoun);
    for await (const event of events) {
      if (key !== undefined && event.key !== key) continue;
      if (worker !== undefined && event.worker !== worker) continue;
      if (type !== undefined && event.type !== type) continue;
      await out.write(event.type, event);
    }
  }
}
