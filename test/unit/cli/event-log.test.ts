import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { ByteSink } from '../../../src/cli/byte-sink.ts';
import { resolveLooks } from '../../../src/cli/format.ts';
import { Output } from '../../../src/cli/output.ts';
import { EventLog } from '../../../src/cli/worker/event-log.ts';
import { Emitter } from '../../../src/engine/core/emitter.ts';
import { type PoolClientEvents, type PoolNode, RedisUnavailableError } from '../../../src/engine/index.ts';
import type { WorkerEvents } from '../../../src/engine/pool/worker-events.ts';

/** Takes what is written only after `open`. */
class Gate extends Writable {
  text = '';
  #waiting: (() => void)[] = [];
  #open = true;

  constructor() {
    super({ highWaterMark: 1 });
  }

  shut(): void {
    this.#open = false;
  }

  open(): void {
    this.#open = true;
    for (const go of this.#waiting.splice(0)) go();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const take = () => {
      this.text += chunk.toString();
      done();
    };
    if (this.#open) take();
    else this.#waiting.push(take);
  }
}

function setUp(format?: string) {
  const [stdout, stderr] = [new Gate(), new Gate()];
  const looks = resolveLooks({ flags: { output: format }, env: {} }, true);
  const log = new EventLog(new Output({ looks, stdout: new ByteSink(stdout), stderr: new ByteSink(stderr) }));
  const worker = new Emitter<WorkerEvents>();
  const node = { events: new Emitter<PoolClientEvents>() };
  log.followNode(node as unknown as PoolNode);
  log.followWorker('w', worker);
  return { log, stdout, stderr, worker, node: node.events };
}

test('each event is a sentence on stderr, or a record on stdout', async () => {
  const people = setUp();
  people.worker.emit('started', { key: 'k', token: 1, attempt: 2 });
  await people.log.flush();
  expect(people.stderr.text).toMatch(/Z started k, attempt 2\n$/);
  expect(people.stdout.text).toBe('');
  const records = setUp('ndjson');
  records.worker.emit('started', { key: 'k', token: 1, attempt: 2 });
  await records.log.flush();
  expect(JSON.parse(records.stdout.text)).toMatchObject({
    type: 'started',
    worker: 'w',
    key: 'k',
    token: 1,
    attempt: 2,
  });
  expect(records.stderr.text).toBe('');
});

test('a registration is told when it is not the first', async () => {
  const { log, worker, stderr } = setUp();
  worker.emit('registered', { incarnation: 1 });
  worker.emit('registered', { incarnation: 2 });
  await log.flush();
  expect(stderr.text).toMatch(/^\S+ member of the pool again, as incarnation 2\n$/);
});

test('a key cannot forge a line', async () => {
  const { log, worker, stderr } = setUp();
  worker.emit('completed', { key: 'k\n2026-01-01T00:00:00.000Z fenced\u001b[2J', token: 1 });
  await log.flush();
  expect(stderr.text.split('\n')).toHaveLength(2);
  expect(stderr.text).not.toContain('\u001b');
});

test('events beyond what a slow reader can take are counted, not kept', async () => {
  const { log, worker, stdout } = setUp('ndjson');
  stdout.shut();
  for (let token = 0; token < 30_000; token++) worker.emit('completed', { key: 'k', token });
  // Those at hand are being written, so there is room for as many again.
  await Promise.resolve();
  for (let token = 0; token < 30_000; token++) worker.emit('completed', { key: 'k', token });
  stdout.open();
  await log.flush();
  const records = stdout.text
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line) as { type: string; count?: number });
  const told = records.filter(record => record.type === 'completed').length;
  const dropped = records.reduce((sum, record) => sum + (record.count ?? 0), 0);
  expect(told + dropped).toBe(60_000);
  expect(told).toBeLessThanOrEqual(20_000);
});

test('the same trouble is told once, another at once', async () => {
  const { log, node, stderr } = setUp();
  for (let i = 0; i < 5; i++) node.emit('error', new RedisUnavailableError('away'));
  node.emit('error', new RedisUnavailableError('away elsewhere'));
  await log.flush();
  expect(stderr.text.match(/trouble, tried again/g)).toHaveLength(2);
});
