import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DURATION_FORMS, parseDuration } from '../../src/present/human.ts';
import { ponos } from '../support/cli.ts';

const root = join(import.meta.dirname, '..', '..');

describe('ponos', () => {
  it('alone shows the first steps', async () => {
    expect(await ponos([])).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringMatching(/ponos demo[\s\S]*ponos dev up/),
    });
  });

  it.each([['--version'], ['-V']])('%s prints the version and nothing else', async flag => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    expect(await ponos([flag])).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it.each([['help'], ['--help'], ['-h']])('%s lists the commands', async word => {
    const result = await ponos([word]);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.stdout).toMatch(/^ {2}map set +Set a value$/m);
    expect(result.stdout).toMatch(/^ {2}dev up +\S/m);
  });

  it.each([[['help', 'map', 'set']], [['map', 'set', '--help']], [['map', 'set', '-h']], [['--help', 'map', 'set']]])(
    '%j explains a command with examples',
    async args => {
      const result = await ponos(args);
      expect(result).toMatchObject({ code: 0, stderr: '' });
      expect(result.stdout).toMatch(/^USAGE\n {2}\$ ponos map set MAP KEY VALUE/m);
      expect(result.stdout).toMatch(/^EXAMPLES\n/m);
      expect(result.stdout).toContain('--if-absent');
    },
  );

  it('says how durations are written, as the manual does', async () => {
    const said = `Durations are written ${DURATION_FORMS}.`;
    expect(parseDuration('90')).toBe(90_000);
    expect(said).toContain('a bare number is seconds');
    expect((await ponos(['job', 'dispatch', '--help'])).stdout).toContain(said);
    expect(readFileSync(join(root, 'docs', 'cli.md'), 'utf8')).toContain(said);
    expect((await ponos(['map', 'list', '--timeout', 'soon'])).stderr).toContain(DURATION_FORMS);
  });

  it('explains a noun when no command of it is given', async () => {
    for (const args of [['map'], ['map', '--help'], ['help', 'map']]) {
      expect(await ponos(args)).toMatchObject({ code: 0, stdout: expect.stringMatching(/^ {2}map watch +\S/m) });
    }
  });

  it('leaves what follows -- to the command', async () => {
    expect(await ponos(['map', 'get', '--redis', 'redis://127.0.0.1:1', '--', '-h'])).toMatchObject({ code: 5 });
  });
});
