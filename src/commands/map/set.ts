import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../cli/base-command.ts';
import { changeFlags, text } from '../../cli/flags.ts';
import { textOf } from '../../cli/stdin.ts';
import { type ConditionalWrite, ConflictError, ExistsError, MapClient } from '../../engine/index.ts';
import { entryWriteNoun } from '../../present/nouns/maps.ts';

export default class MapSet extends BaseCommand<typeof MapSet> {
  static override summary = 'Set a value';
  static override description =
    'Every process that joined the map sees it within milliseconds. "-" as the value reads it from stdin, byte for byte. A condition that does not hold ends with exit code 4 and changes nothing.';
  static override examples = [
    '<%= config.bin %> map set settings interval 5s',
    '<%= config.bin %> map set settings leader me --if-absent',
    '<%= config.bin %> map set settings interval 9s --if-value 5s',
    '<%= config.bin %> map set images logo - < logo.png',
  ];
  static override impact = 'write' as const;
  static override args = {
    map: text({ required: true, description: 'Name of the map' }),
    key: text({ required: true, description: 'Key' }),
    value: text({ required: true, description: 'Value, or - for stdin' }),
  };
  static override flags = {
    ...changeFlags,
    'if-absent': Flags.boolean({ exclusive: ['if-value'], description: 'Only if the key is not there' }),
    'if-value': Flags.string({ helpValue: 'VALUE', description: 'Only if this is its value now' }),
  };

  async run(): Promise<void> {
    const { map, key } = this.args;
    const client = await MapClient.open(await this.connect(), map);
    const { 'if-absent': ifAbsent, 'if-value': expected } = this.flags;
    const look = async () => {
      const current = await client.getFresh(key);
      if (ifAbsent ? current !== undefined : expected !== undefined && current !== expected) throw this.#unmet(current);
    };
    if (await this.planned(`set "${key}" in map "${map}"`, look)) return;
    const value = await textOf(this.args.value);
    if (ifAbsent) return this.#told(await client.setIfAbsent(key, value), value);
    if (expected !== undefined) return this.#told(await client.compareAndSet(key, { value: expected }, value), value);
    const { revision, changed, previous } = await client.set(key, value);
    await this.#tell({ revision, changed, previous, value });
  }

  async #told(write: ConditionalWrite, value: string): Promise<void> {
    if (!write.applied) throw this.#unmet(write.current);
    await this.#tell({ revision: write.revision, changed: write.changed, value });
  }

  /** The condition does not hold. */
  #unmet(current: string | undefined): ExistsError | ConflictError {
    const { map, key } = this.args;
    if (this.flags['if-absent']) return new ExistsError(`map "${map}": key`, key);
    const state = current === undefined ? 'is not there' : 'has another value';
    return new ConflictError(`map "${map}": key "${key}" ${state}; nothing was changed`, {
      hint: `"ponos map get ${map} KEY" shows what is there.`,
    });
  }

  async #tell(write: {
    revision: number;
    changed: boolean;
    value: string;
    previous?: string | undefined;
  }): Promise<void> {
    const { map, key } = this.args;
    if (this.output.looks.format !== 'table') await this.output.item(entryWriteNoun, { map, key, ...write });
    await this.output.note(write.changed ? `set, revision ${write.revision}` : 'it had this value already');
  }
}
