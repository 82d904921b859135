import { BaseCommand } from '../../cli/base-command.ts';
import { poolFlags, text, watchFlags } from '../../cli/flags.ts';
import { locateJob } from '../../engine/index.ts';
import { placeNoun } from '../../present/nouns/places.ts';

export default class JobWhere extends BaseCommand<typeof JobWhere> {
  static override summary = 'Say which worker has a job, or would get it';
  static override examples = [
    '<%= config.bin %> job where tenant-7',
    '<%= config.bin %> worker show "$(<%= config.bin %> job where tenant-7 -o name)"',
  ];
  static override args = { key: text({ required: true, description: 'Key of the job; it need not exist' }) };
  static override flags = { ...poolFlags, ...watchFlags };

  async run(): Promise<void> {
    const { key } = this.args;
    const link = await this.connect();
    await this.show(async () => this.output.item(placeNoun, { key, ...(await locateJob(link, this.pool, key)) }));
  }
}
