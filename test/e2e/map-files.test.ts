import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeText } from '../../src/engine/core/text.ts';
import { MapClient } from '../../src/engine/maps/map-client.ts';
import { type CliOptions, ndjson, ponos, ponosJson } from '../support/cli.ts';
import { useRedis } from '../support/fixture.ts';

describe('ponos map: whole maps', () => {
  const redis = useRedis();
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ponos-map-files-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const options = (more: CliOptions = {}): CliOptions => ({
    ...more,
    env: { PONOS_REDIS_URL: redis.server.url, PONOS_PREFIX: redis.prefix, TMPDIR: folder, ...more.env },
  });
  const run = (...args: string[]) => ponos(['map', ...args], options());
  const fill = async (map: string, entries: Record<string, string> | Map<string, string>) => {
    const client = await MapClient.open(await redis.connect(), map);
    await client.setMany(entries instanceof Map ? entries : Object.entries(entries));
    return client;
  };
  const entriesOf = async (map: string) => (await (await MapClient.open(await redis.connect(), map)).readAll()).entries;
  const write = (name: string, text: string | Uint8Array) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  /** An editor: a script of the shell that gets the file as `$1`. */
  const editor = (script: string) => {
    const path = write('editor.sh', `#!/bin/sh\n${script}\n`);
    chmodSync(path, 0o700);
    return path;
  };
  const edit = (script: string, ...args: string[]) =>
    ponos(['map', 'edit', ...args], options({ env: { EDITOR: editor(script) } }));
  const keptFile = (stderr: string) => /the edited file is kept: (\S+)/.exec(stderr)?.[1] ?? '';

  const AWKWARD = new Map([
    ['limit', '100'],
    ['on', 'yes'],
    ['none', ''],
    ['text', 'one\ntwo\n'],
    ['a: b #c', '\u001b[2J\u202e'],
    ['__proto__', '~'],
    ['bytes', decodeText(Buffer.from([0, 255, 254, 10, 13]))],
    [decodeText(Buffer.from([107, 200])), 'x'],
  ]);

  describe('export and import', () => {
    it.each([[[]], [['-o', 'json']], [['-o', 'ndjson']], [['-o', 'yaml']]])(
      'bring every byte back, with %j',
      async format => {
        await fill('m', AWKWARD);
        const exported = await ponos(['map', 'export', 'm', ...format], options());
        expect(exported).toMatchObject({ code: 0, stderr: '' });
        const imported = await ponos(['map', 'import', 'copy', '-'], options({ input: exported.stdoutBytes }));
        expect(imported).toMatchObject({ code: 0, stdout: '', stderr: 'map "copy": 8 entries added\n' });
        expect(await entriesOf('copy')).toEqual(AWKWARD);
        expect((await run('diff', 'm', 'copy')).code).toBe(0);
      },
    );

    it('writes a document to read and to keep under version control, sorted', async () => {
      await fill('m', { b: '2', a: 'one' });
      expect((await run('export', 'm')).stdout).toBe('a: one\nb: "2"\n');
      expect((await run('export', 'm', '--match', 'b*')).stdout).toBe('b: "2"\n');
      expect(ndjson((await run('export', 'm', '-o', 'ndjson')).stdout)).toEqual([
        { type: 'mapEntry', map: 'm', key: 'a', keyEncoding: 'utf8', value: 'one', valueEncoding: 'utf8' },
        { type: 'mapEntry', map: 'm', key: 'b', keyEncoding: 'utf8', value: '2', valueEncoding: 'utf8' },
      ]);
      expect(await run('export', 'none')).toMatchObject({ code: 3, stdout: '' });
    });

    it('takes a map that only begins like an export, and one of no entries', async () => {
      expect(await run('import', 'm', write('f.yaml', 'apiVersion: v1\nkind: x\n'))).toMatchObject({ code: 0 });
      expect(Object.fromEntries(await entriesOf('m'))).toEqual({ apiVersion: 'v1', kind: 'x' });
      const none = 'apiVersion: ponos/v1\nkind: MapEntryList\nitems: []\n';
      expect(await run('import', 'm', write('f.yaml', none), '--replace', '--yes')).toMatchObject({ code: 0 });
      expect((await entriesOf('m')).size).toBe(0);
    });

    it('takes plain JSON and YAML, and leaves the other entries alone', async () => {
      await fill('m', { a: '1', b: '1' });
      expect(await run('import', 'm', write('f.json', '{"b": "2", "c": 3}'))).toMatchObject({ code: 0 });
      expect(Object.fromEntries(await entriesOf('m'))).toEqual({ a: '1', b: '2', c: '3' });
      expect(await run('import', 'm', write('f.yaml', 'd: yes\n'))).toMatchObject({ code: 0 });
      expect((await entriesOf('m')).get('d')).toBe('yes');
    });

    it('deletes what the file lacks with --replace only, and only when confirmed', async () => {
      await fill('m', { a: '1', b: '1' });
      const file = write('f.yaml', 'b: 2\n');
      expect(await run('import', 'm', file, '--replace')).toMatchObject({ code: 8 });
      expect((await entriesOf('m')).size).toBe(2);
      expect(await run('import', 'm', file, '--replace', '--yes')).toMatchObject({
        code: 0,
        stderr: 'map "m": 1 entry changed, 1 entry removed\n',
      });
      expect(Object.fromEntries(await entriesOf('m'))).toEqual({ b: '2' });
    });

    it('refuses a file with nothing in it, as a failed export leaves it, and takes an explicit empty map', async () => {
      await fill('m', { a: '1', b: '1' });
      for (const input of ['', '\n', '# no entry\n', '---\n']) {
        const refused = await ponos(['map', 'import', 'm', '-', '--replace', '--yes'], options({ input }));
        expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('nothing in the file') });
      }
      expect((await entriesOf('m')).size).toBe(2);
      expect((await run('diff', 'm', '--file', write('empty', ''))).code).toBe(2);
      const file = write('f.yaml', '{}\n');
      expect(await run('import', 'm', file, '--replace', '--yes')).toMatchObject({ code: 0 });
      expect((await entriesOf('m')).size).toBe(0);
      const exported = await run('export', 'm');
      expect(exported.stdout).toBe('{}\n');
    });

    it('shows the differences in a dry run, and writes nothing', async () => {
      await fill('m', { a: '1', b: '1' });
      const file = write('f.yaml', 'b: 2\nc: 3\n');
      expect(await run('import', 'm', file, '--dry-run', '--replace')).toMatchObject({
        code: 0,
        stdout: '- a: 1\n- b: 1\n+ b: 2\n+ c: 3\n',
      });
      expect(Object.fromEntries(await entriesOf('m'))).toEqual({ a: '1', b: '1' });
    });

    it('refuses a bad file with its line, and a value too large before anything is written', async () => {
      await fill('m', { a: '1' });
      expect(await run('import', 'm', write('f', 'a: 2\nb: [1]\n'))).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('line 2'),
      });
      expect(await run('import', 'm', join(folder, 'absent'))).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('absent'),
      });
      const big = write('big', JSON.stringify({ a: '2', b: 'x'.repeat(1024 ** 2 + 1) }));
      expect(await run('import', 'm', big)).toMatchObject({ code: 2, stderr: expect.stringContaining('1048577') });
      expect(Object.fromEntries(await entriesOf('m'))).toEqual({ a: '1' });
      const broken = '{"type":"mapEntry","key":"a","value":"2"}\n{"type":"mapEntry","key":"b"}\n';
      expect(await run('import', 'm', write('f', broken))).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('line 2'),
      });
    });

    it('carries a map of many parts', async () => {
      const many = new Map(Array.from({ length: 3500 }, (_, i) => [`k${i}`, 'v'.repeat(400)] as const));
      const text = JSON.stringify(Object.fromEntries(many));
      expect(await ponos(['map', 'import', 'm', '-'], options({ input: text }))).toMatchObject({ code: 0 });
      expect(await entriesOf('m')).toEqual(many);
    });
  });

  describe('diff', () => {
    it('ends with 0, 1 or more as diff does', async () => {
      await fill('one', { a: '1', b: '1', c: '1' });
      await fill('two', { a: '1', b: '2', d: 'x\ny' });
      const different = await run('diff', 'one', 'two');
      expect(different).toMatchObject({ code: 1, stdout: '- b: 1\n+ b: 2\n- c: 1\n+ d: x\\ny\n', stderr: '' });
      expect(await run('diff', 'one', 'one')).toMatchObject({ code: 0, stdout: '' });
      expect((await run('diff', 'one', 'none')).code).toBe(3);
      expect((await run('diff', 'one')).code).toBe(2);
      expect((await run('diff', 'one', 'two', '--file', 'x')).code).toBe(2);
    });

    it('compares with a file, and tells programs', async () => {
      await fill('one', { a: '1' });
      const file = write('f.yaml', 'a: 2\n');
      const result = await run('diff', 'one', '--file', file, '--json');
      expect(result.code).toBe(1);
      expect(JSON.parse(result.stdout)).toMatchObject({
        kind: 'MapDifferenceList',
        items: [{ key: 'a', change: 'changed', before: '1', after: '2' }],
      });
      expect(await ponos(['map', 'diff', 'one', '--file', '-'], options({ input: 'a: 1' }))).toMatchObject({ code: 0 });
    });
  });

  describe('edit', () => {
    it('writes what is different, and shows it', async () => {
      await fill('m', { limit: '100', old: 'x', text: 'one\ntwo\n' });
      const result = await edit(
        `cp "$1" ${folder}/seen; sed -i 's/"100"/200/; /^old/d' "$1"; echo 'new: yes # added' >> "$1"`,
        'm',
        '--yes',
      );
      expect(result).toMatchObject({
        code: 0,
        stdout: '- limit: 100\n+ limit: 200\n+ new: yes\n- old: x\n',
        stderr: 'map "m": 1 entry added, 1 entry changed, 1 entry removed\n',
      });
      expect(Object.fromEntries(await entriesOf('m'))).toEqual({ limit: '200', new: 'yes', text: 'one\ntwo\n' });
      const seen = readFileSync(join(folder, 'seen'), 'utf8');
      expect(seen).toMatch(/^# Map "m", 3 entries/);
      expect(seen.replace(/^#.*\n/gm, '')).toBe('limit: "100"\nold: x\ntext: |\n  one\n  two\n');
    });

    it('keeps every byte that was not edited', async () => {
      await fill('m', AWKWARD);
      expect(await edit(`echo 'added: 1' >> "$1"`, 'm', '--yes')).toMatchObject({ code: 0, stdout: '+ added: 1\n' });
      expect(await entriesOf('m')).toEqual(new Map([...AWKWARD, ['added', '1']]));
    });

    it('never overwrites what somebody else changed meanwhile, and keeps the edited file', async () => {
      const client = await fill('m', { a: '1', b: '1', c: '1' });
      const script = `echo ready > ${folder}/ready; while [ ! -e ${folder}/go ]; do sleep 0.05; done; sed -i 's/^a:.*/a: mine/; s/^b:.*/b: mine/' "$1"`;
      const running = edit(script, 'm', '--yes');
      const { until } = await import('../support/until.ts');
      await until(() => existsSync(join(folder, 'ready')), 'the editor to be open');
      await client.set('a', 'theirs');
      write('go', '');
      const result = await running;
      expect(result).toMatchObject({ code: 4, stderr: expect.stringContaining('"a" changed while it was edited') });
      expect(Object.fromEntries(await entriesOf('m'))).toEqual({ a: 'theirs', b: '1', c: '1' });
      const kept = keptFile(result.stderr);
      expect(readFileSync(kept, 'utf8')).toContain('a: mine\nb: mine\n');
      expect(statSync(kept).mode & 0o777).toBe(0o600);
      expect(statSync(dirname(kept)).mode & 0o777).toBe(0o700);
      expect((await run('diff', 'm', '--file', kept)).stdout).toBe('- a: theirs\n+ a: mine\n- b: 1\n+ b: mine\n');
    });

    it('leaves alone what others change elsewhere in the map', async () => {
      await fill('m', { a: '1', b: '1' });
      const set = `${process.execPath} ${join(import.meta.dirname, '../../bin/run.js')} map set m b theirs`;
      expect(await edit(`${set} && sed -i 's/^a:.*/a: mine/' "$1"`, 'm', '--yes')).toMatchObject({ code: 0 });
      expect(Object.fromEntries(await entriesOf('m'))).toEqual({ a: 'mine', b: 'theirs' });
    });

    it('writes nothing without a confirmation, in a dry run, or when nothing is different', async () => {
      await fill('m', { a: '1' });
      const unconfirmed = await edit(`echo 'a: 2' > "$1"`, 'm');
      expect(unconfirmed).toMatchObject({ code: 8, stdout: '- a: 1\n+ a: 2\n' });
      expect(readFileSync(keptFile(unconfirmed.stderr), 'utf8')).toBe('a: 2\n');
      expect(await edit(`echo 'a: 2' > "$1"`, 'm', '--dry-run')).toMatchObject({ code: 0, stdout: '- a: 1\n+ a: 2\n' });
      for (const script of ['true', ': > "$1"', `echo '# a: 1' > "$1"`]) {
        expect(await edit(script, 'm', '--yes')).toMatchObject({
          code: 0,
          stdout: '',
          stderr: expect.stringContaining('nothing was edited'),
        });
      }
      expect(Object.fromEntries(await entriesOf('m'))).toEqual({ a: '1' });
    });

    it('refuses what is no document, an editor that fails, and none at all', async () => {
      await fill('m', { a: '1' });
      const broken = await edit(`printf 'a: 1\\nb: "x\\n' > "$1"`, 'm', '--yes');
      expect(broken).toMatchObject({ code: 2, stderr: expect.stringContaining('line') });
      expect(existsSync(keptFile(broken.stderr))).toBe(true);
      expect(await edit(`printf 'a: \\377' > "$1"`, 'm', '--yes')).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('!!binary'),
      });
      // What nobody edited is not kept, and not called edited.
      const kept = () => readdirSync(folder).filter(name => name.startsWith('ponos-edit-')).length;
      const before = kept();
      expect(await edit('exit 3', 'm', '--yes')).toMatchObject({ code: 2, stderr: expect.stringContaining('3') });
      const without = await run('edit', 'm');
      expect(without).toMatchObject({ code: 2, stderr: expect.stringContaining('EDITOR') });
      expect([keptFile(without.stderr), kept()]).toEqual(['', before]);
      expect(await edit('true', 'none')).toMatchObject({ code: 3 });
      const gone = await edit('rm "$1"', 'm', '--yes');
      expect(gone).toMatchObject({ code: 2, stderr: expect.stringContaining('cannot be read; nothing was written') });
      expect(keptFile(gone.stderr)).toBe('');
      expect(Object.fromEntries(await entriesOf('m'))).toEqual({ a: '1' });
    });

    it('leaves no file behind when all went well', async () => {
      await fill('m', { a: '1' });
      await edit(`printf %s "$1" > ${folder}/name; echo 'a: 2' > "$1"`, 'm', '--yes');
      expect(existsSync(readFileSync(join(folder, 'name'), 'utf8'))).toBe(false);
    });

    it('takes an editor with arguments, VISUAL before EDITOR', async () => {
      await fill('m', { a: '1' });
      const script = editor('echo "a: $1" > "$2"');
      const env = { VISUAL: `${script} word`, EDITOR: 'false' };
      expect(await ponos(['map', 'edit', 'm', '--yes'], options({ env }))).toMatchObject({ code: 0 });
      expect((await entriesOf('m')).get('a')).toBe('word');
    });
  });

  describe('clear and destroy', () => {
    it('ask first, say what they would do, and do it', async () => {
      for (const [command, gone] of [
        ['clear', false],
        ['destroy', true],
      ] as const) {
        await fill(command, { a: '1', b: '2' });
        expect((await run(command, command)).code).toBe(8);
        expect(await run(command, command, '--dry-run')).toMatchObject({
          code: 0,
          stdout: expect.stringMatching(/^WOULD +(remove|destroy) .*2 entries/),
        });
        expect((await entriesOf(command)).size).toBe(2);
        expect(await run(command, command, '--yes')).toMatchObject({ code: 0, stdout: '' });
        expect((await entriesOf(command)).size).toBe(0);
        const { items } = await ponosJson<{ items: { name: string }[] }>(['map', 'list'], options());
        expect(items.some(({ name }) => name === command)).toBe(!gone);
        expect((await run(command, 'none', '--yes')).code).toBe(3);
      }
    });
  });

  it('refuse every write when told to', async () => {
    await fill('m', { a: '1' });
    for (const args of [
      ['clear', 'm'],
      ['destroy', 'm'],
      ['edit', 'm'],
      ['import', 'm', '-'],
    ]) {
      expect((await run(...args, '--read-only', '--yes')).code).toBe(8);
    }
  });
});
