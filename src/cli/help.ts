/** `--help`, `ponos help ...`: oclif's page for a command; our own, shorter ones for a topic and for everything. */
import type { Config } from '@oclif/core/config';
import { Help } from '@oclif/core/help';
import { DURATION_FORMS } from '../present/human.ts';

interface Entry {
  name: string;
  summary: string;
}

const HINT = 'ponos COMMAND --help shows one of them with examples. ponos alone shows the first steps.';

/** The help of a command (`map:get`), a topic (`map`), or of everything (empty). */
export async function helpText(id: string, config: Config): Promise<string> {
  if (id !== '' && config.findCommand(id)) return commandPage(id, config);
  const entries = config.commands
    .filter(
      command =>
        !command.hidden && !command.aliases?.includes(command.id) && (id === '' || command.id.startsWith(`${id}:`)),
    )
    .map(command => ({
      name: command.id.replaceAll(':', ' '),
      summary: firstLine(command.summary ?? command.description),
    }))
    .sort((a, b) => a.name.localeCompare(b.name));
  if (id !== '') {
    const about = firstLine(config.findTopic(id)?.description);
    return [
      about,
      '',
      'USAGE',
      `  $ ponos ${id.replaceAll(':', ' ')} COMMAND`,
      '',
      'COMMANDS',
      ...list(entries),
      '',
      HINT,
      '',
    ].join('\n');
  }
  const alone = entries.filter(entry => !entry.name.includes(' '));
  const topics = [
    ...new Set(entries.filter(entry => entry.name.includes(' ')).map(entry => entry.name.split(' ')[0] as string)),
  ];
  const sections = topics.flatMap(topic => [
    '',
    `${topic.toUpperCase()}  ${firstLine(config.findTopic(topic)?.description)}`,
    ...list(entries.filter(entry => entry.name.startsWith(`${topic} `))),
  ]);
  return ['USAGE', '  $ ponos COMMAND', '', 'COMMANDS', ...list(alone), ...sections, '', HINT, ''].join('\n');
}

async function commandPage(id: string, config: Config): Promise<string> {
  const lines: string[] = [];
  const help = new (class extends Help {
    protected override log(...texts: string[]): void {
      lines.push(texts.join(' '));
    }
  })(config, { flagSortOrder: 'none', docopts: false });
  await help.showHelp([...id.split(':')]);
  // Every command takes one: --timeout.
  return `${lines.join('\n').trimEnd()}\n\nDurations are written ${DURATION_FORMS}.\n`;
}

function list(entries: readonly Entry[]): string[] {
  const width = Math.max(0, ...entries.map(entry => entry.name.length));
  return entries.map(entry => `  ${entry.name.padEnd(width)}  ${entry.summary}`.trimEnd());
}

function firstLine(text: string | undefined): string {
  return text?.split('\n')[0] ?? '';
}
