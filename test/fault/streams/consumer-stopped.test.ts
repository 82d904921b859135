import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { showSink } from '../../../src/engine/inspect/streams.ts';
import { EventStream } from '../../../src/engine/streams/stream.ts';
import { useRedis } from '../../support/fixture.ts';
import { until } from '../../support/until.ts';

const CLAIM_MS = 600;

interface Line {
  what: 'ready' | 'handled';
  atMs: number;
  id: string;
  startedAtMs: number;
  count: number;
}

describe('a consumer that is stopped and goes on', () => {
  const redis = useRedis();

  class ConsumerProcess {
    readonly child: ChildProcess;
    readonly lines: Line[] = [];
    readonly ended: Promise<unknown>;

    constructor() {
      const program = join(import.meta.dirname, 'consumer-process.ts');
      const args = [program, redis.server.url, redis.prefix, 's', 'k', `${CLAIM_MS}`];
      this.child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
      this.ended = new Promise(resolve => this.child.once('exit', resolve));
      const output = createInterface({ input: this.child.stdout as NodeJS.ReadableStream });
      output.on('line', line => this.lines.push(JSON.parse(line)));
      redis.defer(() => this.end('SIGKILL'));
    }

    get ready(): boolean {
      return this.lines.some(line => line.what === 'ready');
    }

    async end(signal: NodeJS.Signals): Promise<void> {
      if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
      await this.ended;
    }
  }

  it('starts nothing that was claimed meanwhile, and loses no event', async () => {
    const link = await redis.connect();
    const stream = await EventStream.open(link, 's');
    const first = new ConsumerProcess();
    await until(() => first.ready, 'the consumer to be ready');
    const ids = await stream.publishMany(Array.from({ length: 300 }, () => ({ name: 'n', payload: 'p' })));
    await until(() => first.lines.length > 20, 'it to be at work');
    first.child.kill('SIGSTOP');
    const second = new ConsumerProcess();
    await until(
      async () => second.ready && (await showSink(link, 's', 'k')).pendingCount === 0,
      'the second to take over',
    );
    const resumedAtMs = Date.now();
    first.child.kill('SIGCONT');
    const more = await stream.publishMany(Array.from({ length: 300 }, () => ({ name: 'n', payload: 'p' })));
    await until(async () => {
      const { pendingCount, lag } = await showSink(link, 's', 'k');
      return pendingCount === 0 && lag.count === 0;
    }, 'the end');
    const times = new Map<string, number>();
    await until(() => {
      times.clear();
      for (const { what, id } of [...first.lines, ...second.lines]) {
        if (what === 'handled') times.set(id, (times.get(id) ?? 0) + 1);
      }
      return times.size === ids.length + more.length;
    }, 'every event to be on record');
    // What the second has was delivered once more than what the first still held: the first starts none of that.
    const counts = new Map(second.lines.map(({ id, count }) => [id, count]));
    const stale = first.lines.filter(line => line.startedAtMs > resumedAtMs && line.count < (counts.get(line.id) ?? 0));
    expect(stale).toEqual([]);
    expect(counts.size).toBeGreaterThan(0);
  });
});
