import { BaseCommand } from '../../cli/base-command.ts';
import { EXIT } from '../../cli/exit-codes.ts';
import { watchFlags } from '../../cli/flags.ts';
import { devFolder, findDevServer } from '../../config/dev-state.ts';
import { stateFolder } from '../../config/paths.ts';
import { devServerNoun } from '../../present/nouns/dev-server.ts';

export default class DevStatus extends BaseCommand<typeof DevStatus> {
  static override summary = 'Say whether the local Redis runs (exit code 3: it does not)';
  static override examples = ['<%= config.bin %> dev status', '<%= config.bin %> dev status --json'];
  static override flags = { ...watchFlags };

  async run(): Promise<void> {
    const folder = stateFolder(process.env);
    await this.show(async () => {
      const server = findDevServer(folder);
      await this.output.item(devServerNoun, {
        ...(server ?? { url: null, pid: null, port: null, startedAtMs: null, program: null }),
        state: server ? 'RUNNING' : 'STOPPED',
        folder: devFolder(folder),
      });
      if (!server && !this.flags.watch) this.exitCode = EXIT.notFound;
    });
  }
}
