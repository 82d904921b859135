import { BaseCommand } from '../../cli/base-command.ts';
import { PartlyFailedError } from '../../cli/errors.ts';
import { changeFlags, text } from '../../cli/flags.ts';
import { MapClient, NotFoundError } from '../../engine/index.ts';
import { entryWriteNoun } from '../../present/nouns/maps.ts';

export default class MapDelete extends BaseCommand<typeof MapDelete> {
  static override summary = 'Delete entries';
  static override aliases = ['map:rm', 'map:del'];
  static override examples = ['<%= config.bin %> map delete settings interval --yes'];
  static override impact = 'destroy' as const;
  static override args = {
    map: text({ required: true, description: 'Name of the map' }),
    keys: text({ required: true, multiple: true, description: 'Keys' }),
  };
  static override flags = { ...changeFlags };

  async run(): Promise<void> {
    const { map } = this.args;
    const keys = [...new Set(this.args.keys)];
    const describe = (those: readonly string[]) =>
      `${those.length === 1 ? `"${those[0]}"` : `${those.length} entries`} from map "${map}"`;
    const client = await MapClient.open(await this.connect(), map);
    const look = async (key: string) => {
      if ((await client.getFresh(key)) === undefined) throw new NotFoundError(`map "${map}": key`, key);
    };
    if (await this.plannedEach(keys, look, those => `delete ${describe(those)}`)) return;
    await this.confirm(`Delete ${describe(keys)}`);
    const out = this.output.stream(entryWriteNoun);
    let missing = 0;
    for (const key of keys) {
      const { revision, changed, previous } = await client.delete(key);
      if (!changed) missing++;
      if (this.output.looks.format !== 'table')
        await out.write('delete', { map, key, revision, changed, previous, value: null });
      else await this.output.note(changed ? `deleted "${key}"` : `there is no key "${key}"`);
    }
    if (missing === keys.length) throw new NotFoundError(`map "${map}": key`, keys.join('", "'));
    if (missing > 0) throw new PartlyFailedError(missing, keys.length, { hint: 'Those keys are not there.' });
  }
}
