import { PassThrough, Readable, Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteSink } from '../../../src/cli/byte-sink.ts';
import { OutputClosedError } from '../../../src/cli/errors.ts';
import type { Format } from '../../../src/cli/format.ts';
import { resolveLooks } from '../../../src/cli/format.ts';
import { Output } from '../../../src/cli/output.ts';
import { readAll, readLines, readNdjson } from '../../../src/cli/stdin.ts';
import { encodeText } from '../../../src/engine/index.ts';
import { type Noun, stateColumn } from '../../../src/present/columns.ts';

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of source) all.push(one);
  return all;
}

/** The same bytes in chunks cut anywhere. */
const inChunks = (bytes: Buffer, size: number) =>
  Readable.from(
    Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.subarray(at * size, (at + 1) * size)),
  );

describe('lines of the input', () => {
  it('are the same however the chunks are cut, byte for byte', async () => {
    const lines = fc.array(
      fc
        .uint8Array({ maxLength: 20 })
        .map(bytes => Buffer.from(bytes).map(byte => (byte === 10 || byte === 13 ? 32 : byte))),
    );
    await fc.assert(
      fc.asyncProperty(
        lines,
        fc.integer({ min: 1, max: 9 }),
        fc.constantFrom('\n', '\r\n'),
        async (given, size, end) => {
          const bytes = Buffer.concat(given.flatMap(line => [line, Buffer.from(end)]));
          const read = await collect(readLines(inChunks(bytes, size)));
          expect(read.map(line => Buffer.from(line.bytes))).toEqual(given.map(line => Buffer.from(line)));
          expect(read.map(line => line.number)).toEqual(given.map((_, at) => at + 1));
        },
      ),
    );
  });

  it('count a last one without a line feed', async () => {
    expect((await collect(readLines(Readable.from([Buffer.from('a\nb')])))).map(line => String(line.bytes))).toEqual([
      'a',
      'b',
    ]);
  });

  it('over the limit are refused by number, before they are held', async () => {
    const endless = Readable.from(
      (function* () {
        yield Buffer.from('ok\n');
        for (;;) yield Buffer.alloc(1000, 120);
      })(),
    );
    await expect(collect(readLines(endless, { limitBytes: 5000 }))).rejects.toThrow(
      'line 2 of the input is over 5000 bytes',
    );
  });

  it('end when the signal aborts', async () => {
    const input = new PassThrough();
    const stop = new AbortController();
    const reading = collect(readLines(input, { signal: stop.signal }));
    input.write('a\n');
    await turn();
    stop.abort();
    expect(await reading).toHaveLength(1);
  });

  it('are read no faster than they are used', async () => {
    let given = 0;
    const input = Readable.from(
      (function* () {
        for (;;) {
          given++;
          yield Buffer.from('line\n');
        }
      })(),
      { highWaterMark: 4 },
    );
    const lines = readLines(input);
    await lines.next();
    for (let i = 0; i < 20; i++) await turn();
    expect(given).toBeLessThan(20);
    await lines.return(undefined);
  });
});

describe('JSON lines of the input', () => {
  const read = (text: string) => collect(readNdjson(Readable.from([Buffer.from(text)])));

  it('are objects; blank lines are passed over and counted', async () => {
    expect(await read('{"a":1}\n\n  \n{"b":2}')).toEqual([
      { number: 1, value: { a: 1 } },
      { number: 4, value: { b: 2 } },
    ]);
  });

  it.each([
    ['{"a":1}\nsecret-token\n', 'line 2 of the input is no JSON'],
    ['[1]', 'line 1 of the input is no JSON object'],
    ['null', 'line 1 of the input is no JSON object'],
  ])('refuse %j by line number, without quoting it', async (text, message) => {
    const error = await read(text).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'USAGE', message });
    expect(String(error)).not.toContain('secret');
  });
});

describe('the whole input', () => {
  it('is read as bytes, up to a limit', async () => {
    expect(await readAll(Readable.from([Buffer.from([0, 255]), Buffer.from('\n')]))).toEqual(Buffer.from([0, 255, 10]));
    await expect(readAll(Readable.from([Buffer.alloc(11)]), 10)).rejects.toThrow('over the limit of 10 bytes');
  });
});

describe('a standard stream', () => {
  it('makes the writer wait until it takes more', async () => {
    const releases: (() => void)[] = [];
    const slow = new Writable({ highWaterMark: 4, write: (_chunk, _encoding, done) => void releases.push(done) });
    const sink = new ByteSink(slow);
    let written = false;
    const write = sink.write('longer than the mark').then(() => {
      written = true;
    });
    await turn();
    expect(written).toBe(false);
    releases.shift()?.();
    await write;
    expect(written).toBe(true);
  });

  it('whose reader has gone ends the write, and those after it', async () => {
    const broken = new Writable({ highWaterMark: 1, write: (_chunk, _encoding, done) => done(new Error('EPIPE')) });
    const sink = new ByteSink(broken);
    await expect(sink.write('x')).rejects.toBeInstanceOf(OutputClosedError);
    await expect(sink.write('y')).rejects.toBeInstanceOf(OutputClosedError);
    expect(sink.closed.aborted).toBe(true);
    await sink.flush();
  });
});

interface Row {
  key: string;
  state: string;
  sizeBytes: number | null;
}
const noun: Noun<Row> = {
  kind: 'Thing',
  columns: [
    { header: 'KEY', value: row => row.key },
    stateColumn(row => row.state),
    { header: 'SIZE', value: row => row.sizeBytes, align: 'right', wide: true },
  ],
};
const rows: Row[] = [
  { key: 'a,b', state: 'RUNNING', sizeBytes: 5 },
  { key: 'k\u001b\udcff', state: 'DEAD', sizeBytes: null },
];

async function written(
  act: (output: Output) => Promise<unknown>,
  flags: Record<string, unknown>,
  more: { terminal?: boolean; watching?: boolean } = {},
): Promise<{ stdout: Buffer; stderr: string }> {
  const chunks: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
  const sink = (name: 'stdout' | 'stderr') =>
    new ByteSink(
      Object.assign(
        new Writable({
          write(chunk: Buffer, _encoding, done) {
            chunks[name].push(chunk);
            done();
          },
        }),
        { isTTY: more.terminal ?? false, columns: 80 },
      ),
    );
  const looks = { ...resolveLooks({ flags, env: { NO_COLOR: '1' } }, false), watching: more.watching ?? false };
  await act(new Output({ looks, stdout: sink('stdout'), stderr: sink('stderr'), nowMs: () => 1000 }));
  return { stdout: Buffer.concat(chunks.stdout), stderr: Buffer.concat(chunks.stderr).toString() };
}

describe('one declaration of columns', () => {
  it.each<[Format, string]>([
    ['table', 'KEY        STATE\na,b        ● RUNNING\nk\\x1b\\xff  ✖ DEAD\n'],
    ['wide', 'KEY        STATE      SIZE\na,b        ● RUNNING     5\nk\\x1b\\xff  ✖ DEAD        -\n'],
    [
      'json',
      '{"apiVersion":"ponos/v1","kind":"ThingList","items":[{"key":"a,b","state":"RUNNING","sizeBytes":5},{"key":"k\\u001b\\udcff","state":"DEAD","sizeBytes":null}]}\n',
    ],
    [
      'ndjson',
      '{"type":"thing","key":"a,b","state":"RUNNING","sizeBytes":5}\n{"type":"thing","key":"k\\u001b\\udcff","state":"DEAD","sizeBytes":null}\n',
    ],
  ])('gives %s', async (format, text) => {
    const { stdout } = await written(output => output.list(noun, rows), { output: format });
    expect(stdout.toString()).toBe(text);
  });

  it('gives CSV and YAML', async () => {
    const csv = await written(output => output.list(noun, rows.slice(0, 1)), { output: 'csv' });
    expect(csv.stdout.toString()).toBe('KEY,STATE,SIZE\n"a,b",RUNNING,5\n');
    const yaml = await written(output => output.item(noun, rows[0] as Row), { output: 'yaml' });
    expect(yaml.stdout.toString()).toBe(
      'apiVersion: ponos/v1\nkind: Thing\nitem:\n  key: a,b\n  state: RUNNING\n  sizeBytes: 5\n',
    );
  });

  it('gives names and raw bytes exactly, and names escaped on a terminal', async () => {
    const bytes = Buffer.concat([Buffer.from('a,b\n'), encodeText('k\u001b\udcff'), Buffer.from('\n')]);
    expect((await written(output => output.list(noun, rows), { output: 'name' })).stdout).toEqual(bytes);
    expect((await written(output => output.list(noun, rows), { raw: true }, { terminal: true })).stdout).toEqual(bytes);
    const shown = await written(output => output.list(noun, rows), { output: 'name' }, { terminal: true });
    expect(shown.stdout.toString()).toBe('a,b\nk\\x1b\\xff\n');
  });

  it('gives one snapshot a line while watching', async () => {
    const { stdout } = await written(output => output.list(noun, []), { json: true }, { watching: true });
    expect(stdout.toString()).toBe(
      '{"type":"snapshot","atMs":1000,"apiVersion":"ponos/v1","kind":"ThingList","items":[]}\n',
    );
  });

  it('says in a sentence on stderr that there is nothing, and data stays data', async () => {
    const table = await written(output => output.list(noun, [], { empty: 'No things.' }), {});
    expect([table.stdout.toString(), table.stderr]).toEqual(['', 'No things.\n']);
    const quiet = await written(output => output.list(noun, [], { empty: 'No things.' }), { json: true, quiet: true });
    expect([quiet.stdout.toString(), quiet.stderr]).toEqual([
      '{"apiVersion":"ponos/v1","kind":"ThingList","items":[]}\n',
      '',
    ]);
  });

  it('gives glyphs in ASCII when asked', async () => {
    const { stdout } = await written(output => output.list(noun, rows), { ascii: true, headers: false });
    expect(stdout.toString()).toContain('a,b        + RUNNING\n');
  });
});
