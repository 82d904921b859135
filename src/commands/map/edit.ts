import { BaseCommand } from '../../cli/base-command.ts';
import { changeFlags, text } from '../../cli/flags.ts';
import { countDifferences, showDifferences } from '../../cli/map/differences.ts';
import { EditedFile } from '../../cli/map/editor.ts';
import {
  applyDifferences,
  ConflictError,
  diffEntries,
  type MapDifference,
  type RedisLink,
  readMap,
} from '../../engine/index.ts';
import { formatCount } from '../../present/human.ts';
import { formatMapDocument, parseMapDocument } from '../../present/map-document.ts';

export default class MapEdit extends BaseCommand<typeof MapEdit> {
  static override summary = 'Edit a map in your editor';
  static override description =
    `Opens VISUAL or EDITOR on a YAML document of the entries, shows what is different, asks, and writes it. Values are texts, whatever they look like; bytes that are no UTF-8 are !!binary. An entry that somebody else changed meanwhile is never overwritten: then nothing is written, and the edited file is kept. What is written is one change, for every copy of the map; at most 1000 entries and 16 MiB, values before and after together.
With --dry-run the differences are shown and nothing is written.`;
  static override examples = [
    '<%= config.bin %> map edit settings',
    'EDITOR="code --wait" <%= config.bin %> map edit settings',
  ];
  static override impact = 'write' as const;
  static override args = { map: text({ required: true, description: 'Name of the map' }) };
  static override flags = { ...changeFlags };

  async run(): Promise<void> {
    const { map } = this.args;
    const link = await this.connect();
    const before = await readMap(link, map);
    const file = await EditedFile.create(`${map}.yaml`, formatMapDocument(before, head(map, before.size)));
    try {
      await this.#edit(link, file, before);
    } catch (error) {
      if (await file.isEdited()) await this.output.note(`the edited file is kept: ${file.path}`);
      else await file.remove();
      throw error;
    }
    await file.remove();
  }

  async #edit(link: RedisLink, file: EditedFile, before: ReadonlyMap<string, string>): Promise<void> {
    const { map } = this.args;
    await file.edit(process.env, process.stdin.isTTY === true);
    const after = parseMapDocument(await file.read());
    const differences = after ? diffEntries(before, after) : [];
    if (differences.length === 0) return this.output.note(`map "${map}" is as it was: nothing was edited`);
    await showDifferences(this.output, differences);
    if (this.flags['dry-run']) return;
    await this.confirm(`Write to map "${map}": ${countDifferences(differences)}`);
    const { applied, conflicts } = await applyDifferences(link, map, differences);
    if (conflicts.length > 0) throw conflicted(map, conflicts);
    await this.output.note(`map "${map}": ${countDifferences(applied)}`);
  }
}

function head(map: string, count: number): string[] {
  return [
    `Map "${map}", ${formatCount(count, 'entry', 'entries')}: a key and its value a line. Values are texts, also without quotes.`,
    'Save and close the file to write what is different. An empty file changes nothing.',
  ];
}

function conflicted(map: string, conflicts: readonly MapDifference[]): Error {
  const keys = conflicts.slice(0, 5).map(({ key }) => JSON.stringify(key));
  const which = `${keys.join(', ')}${conflicts.length > keys.length ? ` and ${conflicts.length - keys.length} more` : ''}`;
  const hint = `"ponos map diff ${map} --file FILE" shows what is different now.`;
  return new ConflictError(`map "${map}": ${which} changed while it was edited; nothing was written`, { hint });
}
