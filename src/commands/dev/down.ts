import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../cli/base-command.ts';
import { stopDevServer, wipeDevServer } from '../../cli/dev-server.ts';
import { changeFlags } from '../../cli/flags.ts';
import { devFolder, findDevServer } from '../../config/dev-state.ts';
import { stateFolder } from '../../config/paths.ts';

export default class DevDown extends BaseCommand<typeof DevDown> {
  static override summary = 'Stop the local Redis';
  static override description = 'Stops only what "ponos dev up" started. Its data stays for the next start.';
  static override examples = ['<%= config.bin %> dev down', '<%= config.bin %> dev down --wipe --yes'];
  static override impact = 'destroy' as const;
  static override flags = { ...changeFlags, wipe: Flags.boolean({ description: 'Remove its data too' }) };

  async run(): Promise<void> {
    const folder = stateFolder(process.env);
    const action = `Stop the local Redis${this.flags.wipe ? ` and remove all its data in ${devFolder(folder)}` : ''}`;
    const look = async () => (findDevServer(folder) || this.flags.wipe ? action : 'nothing: it does not run');
    if (await this.planned(action, look)) return;
    if (this.flags.wipe) await this.confirm(action);
    const stopped = await stopDevServer(folder);
    if (this.flags.wipe) wipeDevServer(folder);
    await this.done(stopped ? `stopped process ${stopped.pid}` : 'it does not run', devFolder(folder), {
      pid: stopped?.pid ?? null,
      wiped: this.flags.wipe === true,
    });
  }
}
