import { BaseCommand } from '../../cli/base-command.ts';
import { changeFlags, poolFlags, text } from '../../cli/flags.ts';
import { upgradePool } from '../../engine/index.ts';

export default class PoolUpgrade extends BaseCommand<typeof PoolUpgrade> {
  static override summary = 'Let a pool speak the newest protocol of this release, after a rolling upgrade';
  static override description =
    'Two releases run side by side in one pool, in the older protocol, and until this command the newer one may be taken back. Run it when every worker is of the new release. While one is not it ends with 4 (PROTOCOL_KEPT_BACK) and names it. Afterwards processes of the older release are refused, and there is no way back.';
  static override examples = ['<%= config.bin %> pool upgrade --dry-run', '<%= config.bin %> pool upgrade video'];
  static override impact = 'write' as const;
  static override args = { name: text({ description: 'Pool; default the one of --pool' }) };
  static override flags = { ...poolFlags, ...changeFlags };

  async run(): Promise<void> {
    const pool = this.args.name ?? this.pool;
    const dryRun = this.flags['dry-run'];
    // Whether it would succeed a script finds out, which changes nothing then.
    const link = await this.connect({ access: 'read-write' });
    const { from, to } = await upgradePool(link, pool, { dryRun });
    const nothing = from >= to;
    const what = `pool "${pool}" from version ${from} of the pool protocol to ${to}`;
    if (await this.planned(nothing ? `nothing: pool "${pool}" speaks version ${to}` : `raise ${what}`)) return;
    await this.done(
      nothing ? `pool "${pool}" speaks version ${to} of the pool protocol already` : `raised ${what}`,
      pool,
      { from, to },
    );
  }
}
