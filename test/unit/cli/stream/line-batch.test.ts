import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { ByteSink } from '../../../../src/cli/byte-sink.ts';
import { LineBatch } from '../../../../src/cli/stream/line-batch.ts';

test('lines are written in their order, few writes for many, one at a time however slow the reader is', async () => {
  const chunks: string[] = [];
  const stream = new Writable({
    highWaterMark: 1,
    write(chunk, _encoding, done) {
      chunks.push(String(chunk));
      setTimeout(done, 5);
    },
  });
  const batch = new LineBatch(new ByteSink(stream));
  const lines = Array.from({ length: 5000 }, (_, at) => `line ${at}`);
  for (const line of lines) {
    await batch.add(line);
    expect(stream.listenerCount('drain')).toBeLessThanOrEqual(1);
  }
  await batch.flush();
  expect(chunks.join('')).toBe(`${lines.join('\n')}\n`);
  expect(chunks.length).toBeLessThanOrEqual(6);
});

test('a closed output fails what is added later, and flush', async () => {
  const stream = new Writable({ write: (_chunk, _encoding, done) => done(new Error('EPIPE')) });
  const batch = new LineBatch(new ByteSink(stream));
  await batch.add('lost');
  await new Promise(resolve => stream.once('close', resolve));
  await expect(batch.add('late').then(() => batch.flush())).rejects.toThrow('the output is closed');
});
