import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { listPending, showSink } from '../../../src/engine/inspect/streams.ts';
import { EventStream } from '../../../src/engine/streams/stream.ts';
import { useRedis } from '../../support/fixture.ts';
import { until } from '../../support/until.ts';

const CLAIM_MS = 600;
/** Handlers take a millisecond and the machine is shared: a claimed event waits its turn. */
const SLACK_MS = 1500;

interface Line {
  what: 'ready' | 'handled';
  atMs: number;
  id: string;
  startedAtMs: number;
  count: number;
}

describe('consumers that are killed', () => {
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

  it('lose no event: each is handled, nothing stays pending, soon after the last death', {
    timeout: 60_000,
  }, async () => {
    const link = await redis.connect();
    const stream = await EventStream.open(link, 's');
    const all: ConsumerProcess[] = [];
    const start = async () => {
      const process = new ConsumerProcess();
      all.push(process);
      await until(() => process.ready, 'a consumer to be ready');
    };
    await Promise.all([start(), start(), start()]);

    const ids: string[] = [];
    let published = false;
    const publishing = (async () => {
      for (let batch = 0; batch < 60; batch++) {
        ids.push(...(await stream.publishMany(Array.from({ length: 100 }, () => ({ name: 'n', payload: 'p' })))));
        await new Promise(resolve => setTimeout(resolve, 50));
      }
      published = true;
    })();
    let lastKillAtMs = 0;
    for (let kill = 0; kill < 8 && !published; kill++) {
      const victim = all.filter(process => process.child.signalCode === null)[kill % 3] as ConsumerProcess;
      const handled = victim.lines.length;
      await until(() => published || victim.lines.length > handled + 20, 'the victim to be at work');
      lastKillAtMs = Date.now();
      await victim.end('SIGKILL');
      await start();
    }
    await publishing;
    const publishedAtMs = Date.now();
    const handledIds = () => new Set(all.flatMap(({ lines }) => lines.map(({ id }) => id)));
    await until(
      async () => (await showSink(link, 's', 'k')).pendingCount === 0 && handledIds().size > ids.length,
      'the end',
    );

    const handled = all.flatMap(({ lines }) => lines).filter(line => line.what === 'handled');
    const firstHandled = new Map<string, Line>();
    for (const line of handled.sort((a, b) => a.atMs - b.atMs)) {
      if (!firstHandled.has(line.id)) firstHandled.set(line.id, line);
    }
    expect(ids.filter(id => !firstHandled.has(id))).toEqual([]);
    expect(await listPending(link, 's', 'k')).toEqual([]);
    expect(await showSink(link, 's', 'k')).toMatchObject({ deadCount: 0, lostTotal: 0, lag: { count: 0 } });
    expect((await showSink(link, 's', 'k')).redeliveredTotal).toBeGreaterThan(0);
    const endAtMs = Math.max(...[...firstHandled.values()].map(line => line.atMs));
    expect(endAtMs - Math.max(lastKillAtMs, publishedAtMs)).toBeLessThan(CLAIM_MS + SLACK_MS);

    await Promise.all(all.map(process => process.end('SIGTERM')));
    // Those that ended in good order are gone; the killed go once their leases are over and somebody sweeps.
    const { consumers } = await showSink(link, 's', 'k');
    expect(consumers.filter(consumer => consumer.pendingCount > 0)).toEqual([]);
  });

  it('lose no event to a stop and go: what was claimed meanwhile is not claimed back', async () => {
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
