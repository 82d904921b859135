import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../cli/base-command.ts';
import { startDevServer } from '../../cli/dev-server.ts';
import { devFolder } from '../../config/dev-state.ts';
import { stateFolder } from '../../config/paths.ts';
import { devServerNoun } from '../../present/nouns/dev-server.ts';

export default class DevUp extends BaseCommand<typeof DevUp> {
  static override summary = 'Start the local Redis, or say that it runs';
  static override description =
    'Starts redis-server or valkey-server from the PATH on 127.0.0.1 and keeps its data in the state directory. Commands find it by themselves when no other Redis is configured.';
  static override examples = ['<%= config.bin %> dev up', 'eval "$(<%= config.bin %> dev env)"'];
  static override impact = 'write' as const;
  static override flags = {
    port: Flags.integer({ min: 1, max: 65_535, helpValue: 'PORT', description: 'Default 6390, or a free one' }),
  };

  async run(): Promise<void> {
    const folder = stateFolder(process.env);
    const server = await startDevServer({ stateFolder: folder, path: process.env.PATH ?? '', port: this.flags.port });
    if (this.output.looks.format === 'table') await this.output.line(server.url);
    else await this.output.item(devServerNoun, { ...server, state: 'RUNNING', folder: devFolder(folder) });
    await this.output.note(
      server.started
        ? `started ${server.program} as process ${server.pid}; its data is in ${devFolder(folder)}`
        : `it runs already, as process ${server.pid}`,
    );
  }
}
