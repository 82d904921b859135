import { BaseCommand } from '../../cli/base-command.ts';
import { findDevServer } from '../../config/dev-state.ts';
import { stateFolder } from '../../config/paths.ts';
import { NotFoundError } from '../../engine/index.ts';
import type { Noun } from '../../present/columns.ts';

const variableNoun: Noun<{ name: string; value: string }> = {
  kind: 'Variable',
  columns: [
    { header: 'NAME', value: row => row.name },
    { header: 'VALUE', value: row => row.value },
  ],
};

export default class DevEnv extends BaseCommand<typeof DevEnv> {
  static override summary = 'Print the line that makes a shell use the local Redis';
  static override description = 'Needed for programs of your own; the commands of ponos find it by themselves.';
  static override examples = ['eval "$(<%= config.bin %> dev env)"'];

  async run(): Promise<void> {
    const server = findDevServer(stateFolder(process.env));
    if (!server) throw new NotFoundError('local Redis', 'ponos dev', { hint: 'Start it: ponos dev up.' });
    if (this.output.looks.format === 'table') await this.output.line(`export PONOS_REDIS_URL=${server.url}`);
    else await this.output.item(variableNoun, { name: 'PONOS_REDIS_URL', value: server.url });
  }
}
