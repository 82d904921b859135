import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeText } from '../../../src/engine/core/text.ts';
import { createIsolatedHandler, type IsolatedHandlerOptions } from '../../../src/engine/pool/isolate/handler.ts';
import { TEST_LEASE, usePool } from '../../support/pool.ts';
import { isRunning } from '../../support/pool-cli.ts';
import { until } from '../../support/until.ts';

/** What every module of these tests begins with: `note` writes one line of JSON. */
const NOTES = `
import { appendFileSync } from 'node:fs';
const note = (what, job, more = {}) =>
  appendFileSync(process.env.NOTES, JSON.stringify({ what, key: job?.key, token: job?.token, attempt: job?.attempt, pid: process.pid, ...more }) + '\\n');
`;

interface Note {
  what: string;
  key: string;
  token: number;
  attempt: number;
  pid: number;
  [more: string]: unknown;
}

describe('handlers in a process of their own', () => {
  const fixture = usePool();

  async function isolated(source: string, options: Partial<IsolatedHandlerOptions> = {}) {
    const folder = mkdtempSync(join(tmpdir(), 'ponos-isolate-'));
    fixture.defer(() => rmSync(folder, { recursive: true, force: true }));
    const module = join(folder, 'handler.mjs');
    const file = join(folder, 'notes');
    writeFileSync(module, NOTES + source);
    writeFileSync(file, '');
    const handler = await createIsolatedHandler({
      module,
      env: { PATH: process.env.PATH, NOTES: file },
      output: 'ignore',
      ...options,
    });
    const notes = (what?: string) =>
      readFileSync(file, 'utf8')
        .split('\n')
        .filter(line => line.endsWith('}'))
        .map(line => JSON.parse(line) as Note)
        .filter(entry => what === undefined || entry.what === what);
    return { handler, notes };
  }
  const SERVICE = `
    export function start(job) {
      note('start', job, { payload: job.payload.toString('hex'), group: job.group, pool: job.pool });
      job.signal.addEventListener('abort', () => note('abort', job, { code: job.signal.reason.code }));
    }
    export function stop(job, reason) { note('stop', job, { reason }); }
    export async function notify(job, payload) {
      if (payload.toString() === 'bad') throw new TypeError('bad note');
      if (payload.toString() === 'done') job.complete('the result');
      if (payload.toString() === 'broken') job.fail(new RangeError('broken'));
      if (payload.toString() === 'crash') process.kill(process.pid, 'SIGKILL');
      note('notify', job, { payload: payload.toString('hex') });
    }`;

  it('have the job as it is here, any bytes in key and payload, and run in another process', async () => {
    const { handler, notes } = await isolated(SERVICE);
    const node = await fixture.node();
    await node.addWorker({ handler });
    const key = decodeText(Buffer.from([0xff, 0x00, 0x41, 0xc3]));
    const payload = Buffer.from([0, 255, 10, 0xed, 0xa0, 0x80]);
    const { token } = await node.dispatch(key, payload, { wait: 'started' });
    const [started] = notes('start');
    expect(started).toMatchObject({ key, token, attempt: 1, payload: payload.toString('hex'), group: 'default' });
    expect(started?.pool).toBe(node.pool);
    expect(started?.pid).not.toBe(process.pid);
    await node.notify(key, payload);
    await until(() => notes('notify').length > 0, 'the notification');
    expect(notes('notify')[0]?.payload).toBe(payload.toString('hex'));
    await node.stop(key, { wait: true });
    expect(notes().map(({ what }) => what)).toEqual(['start', 'notify', 'abort', 'stop']);
    expect(notes('stop')[0]?.reason).toBe('stop');
    expect(notes('abort')[0]?.code).toBe('JOB_STOPPED');
  });

  it('complete and fail as here', async () => {
    const { handler, notes } = await isolated(SERVICE);
    const node = await fixture.node();
    const worker = await node.addWorker({ handler });
    const errors: unknown[] = [];
    const failures: unknown[] = [];
    worker.events.on('handlerError', ({ error }) => errors.push(error));
    worker.events.on('failed', ({ error }) => failures.push(error));
    const done = node.dispatch('k', '', { wait: 'completed', backoffMs: 1 });
    await until(() => notes('start').length === 1, 'the start');
    await node.notify('k', 'bad');
    await until(() => errors.length > 0, 'the error');
    expect(errors[0]).toMatchObject({ name: 'TypeError', message: 'bad note' });
    await node.notify('k', 'broken');
    await until(() => notes('start').length === 2, 'the second attempt');
    expect(failures[0]).toMatchObject({ name: 'RangeError', message: 'broken' });
    expect(notes('start')[1]?.attempt).toBe(2);
    await node.notify('k', 'done');
    expect(String((await done).result)).toBe('the result');
  });

  it('give results of tasks, and fail attempts with what they throw', async () => {
    const { handler } = await isolated(`
      export async function run(job, signal) {
        if (job.attempt < 2) throw new Error('once more');
        job.assertOwned();
        return Buffer.from(job.payload).reverse();
      }`);
    const node = await fixture.node();
    const worker = await node.addWorker({ handler });
    const failures: unknown[] = [];
    worker.events.on('failed', ({ error }) => failures.push(error));
    const done = await node.dispatch('k', Buffer.from([1, 0, 255]), { wait: 'completed', backoffMs: 1 });
    expect(done.result).toEqual(Buffer.from([255, 0, 1]));
    expect(failures).toMatchObject([{ message: 'once more' }]);
  });

  it('are refused when the module is missing, does not load, or exports none', async () => {
    await expect(createIsolatedHandler({ module: '/no/such/module.js' })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringMatching(/module\.js does not load: .*Cannot find module/),
    });
    await expect(isolated('export const a = 1;', { name: 'my.mjs' })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: 'my.mjs exports neither start nor run',
      hint: expect.stringContaining('Export start(job)'),
    });
    await expect(isolated('process.exit(3)', { name: 'my.mjs' })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: 'my.mjs does not load: its process ended',
    });
  });

  it('start again in a new process after theirs crashed, the attempts failed', async () => {
    const { handler, notes } = await isolated(SERVICE);
    const node = await fixture.node();
    const worker = await node.addWorker({ handler });
    const failures: string[] = [];
    worker.events.on('failed', ({ key, error }) => failures.push(`${key}: ${(error as Error).message}`));
    await Promise.all(['a', 'b'].map(key => node.dispatch(key, '', { wait: 'started', backoffMs: 1 })));
    await node.notify('a', 'crash');
    await until(() => notes('start').length === 4, 'both to start again');
    expect(failures.sort()).toEqual([
      'a: the host process of the handler was ended by SIGKILL',
      'b: the host process of the handler was ended by SIGKILL',
    ]);
    const [first, , third, fourth] = notes('start');
    expect(third?.pid).not.toBe(first?.pid);
    expect(third?.pid).toBe(fourth?.pid);
    expect(notes('start').map(({ attempt }) => attempt)).toEqual([1, 1, 2, 2]);
  });

  it('bury a payload that crashes every process it comes to', async () => {
    const { handler, notes } = await isolated(`
      export function start(job) { note('start', job); if (job.key === 'poison') process.abort(); }`);
    const node = await fixture.node();
    await node.addWorker({ handler });
    await expect(
      node.dispatch('poison', '', { wait: 'completed', attempts: 3, backoffMs: 1, backoffMaxMs: 5 }),
    ).rejects.toMatchObject({ code: 'HANDLER_FAILED', message: expect.stringContaining('SIGABRT') });
    expect(notes('start').map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    await node.dispatch('good', '', { wait: 'started' });
    expect(notes('start').at(-1)?.key).toBe('good');
  });

  it('are told of a move and of a drain, and end with their worker', async () => {
    const { handler, notes } = await isolated(SERVICE);
    const node = await fixture.node();
    const worker = await node.addWorker({ handler });
    await node.dispatch('k', '', { wait: 'started' });
    const pid = notes('start')[0]?.pid as number;
    await worker.drain();
    expect(notes('stop')).toMatchObject([{ key: 'k', reason: 'drain' }]);
    await until(() => !isRunning(pid), 'the host to end');
    expect(isRunning(pid)).toBe(false);
  });

  it('lose their job at the deadline that the worker knows, and start again under a new token', async () => {
    const { handler, notes } = await isolated(`
      export function start(job) {
        note('start', job);
        const timer = setInterval(() => {
          try { job.assertOwned(); note('tick', job, { atMs: Date.now() }); }
          catch (error) { note('refused', job, { code: error.code }); clearInterval(timer); }
        }, 20);
        job.signal.addEventListener('abort', () => note('abort', job, { code: job.signal.reason.code }));
      }
      export function stop(job, reason) { note('stop', job, { reason }); }`);
    const node = await fixture.node({ lease: TEST_LEASE });
    const worker = await node.addWorker({ handler });
    await node.dispatch('k', '', { wait: 'started' });
    const fenced = worker.events.once('fenced').then(() => Date.now());
    await fixture.pauseRenewals(TEST_LEASE.leaseMs);
    const fencedAtMs = await fenced;
    await until(() => notes('start').length === 2, 'the second start');
    const [first, second] = notes('start') as [Note, Note];
    expect(second.token).toBeGreaterThan(first.token);
    // It listened: its process lives on.
    expect(second.pid).toBe(first.pid);
    expect(notes('stop')).toMatchObject([{ token: first.token, reason: 'fenced' }]);
    expect(notes('abort')).toMatchObject([{ token: first.token, code: 'LEASE_LOST' }]);
    const ticks = notes('tick').filter(({ token }) => token === first.token);
    expect(Math.max(...ticks.map(({ atMs }) => Number(atMs)))).toBeLessThanOrEqual(fencedAtMs + 20);
    expect(notes('refused')).toMatchObject([{ token: first.token, code: 'LEASE_LOST' }]);
  });

  it('keep their jobs when one blocks their process for longer than a lease that the worker renews', async () => {
    const { handler, notes } = await isolated(`
      export function start(job) {
        note('start', job);
        job.signal.addEventListener('abort', () => note('abort', job));
        const endMs = performance.now() + ${1.2 * TEST_LEASE.leaseMs};
        while (performance.now() < endMs);
        try { job.assertOwned(); note('owned', job); } catch { note('refused', job); }
        setTimeout(() => { job.assertOwned(); note('owned again', job); }, 50);
      }`);
    const node = await fixture.node({ lease: TEST_LEASE });
    await node.addWorker({ handler });
    await node.dispatch('k', '');
    await until(() => notes('owned again').length > 0, 'the block to be over');
    // In the midst of it the process had not heard of a renewal, and was right not to be sure.
    expect(notes().map(({ what }) => what)).toEqual(['start', 'refused', 'owned again']);
  });

  it('are killed when one does not stop within the budget of a lost lease', async () => {
    const { handler, notes } = await isolated(`
      export function start(job) {
        note('start', job);
        if (job.attempt === 1 && job.key === 'deaf') setTimeout(() => { for (;;); }, 50);
      }`);
    const node = await fixture.node({ lease: TEST_LEASE });
    const worker = await node.addWorker({ handler });
    await node.dispatch('deaf', '', { wait: 'started' });
    const { pid } = notes('start')[0] as Note;
    const fenced = worker.events.once('fenced').then(() => performance.now());
    // The worker's own event loop is free: it goes on renewing while the handler blocks.
    const startedAtMs = performance.now();
    await until(() => performance.now() - startedAtMs > TEST_LEASE.leaseMs, 'a lease to pass');
    expect(isRunning(pid)).toBe(true);
    await fixture.pauseRenewals(TEST_LEASE.leaseMs);
    const fencedAtMs = await fenced;
    await until(() => !isRunning(pid), 'the host to be killed', { everyMs: 5 });
    expect(performance.now() - fencedAtMs).toBeLessThan(TEST_LEASE.stopBudgetMs + 200);
    await until(() => notes('start').length === 2, 'the second start');
    expect(notes('start')[1]?.pid).not.toBe(pid);
  });

  it('are killed when one does not stop within its budget, though the lease stands; the others begin again', async () => {
    const { handler, notes } = await isolated(
      `export function start(job) { note('start', job); }
       export function stop(job) { note('stop', job); if (job.key === 'deaf') return new Promise(() => {}); }`,
      { stopBudgetMs: 100 },
    );
    const node = await fixture.node({ lease: TEST_LEASE });
    const worker = await node.addWorker({ handler, stopBudgetMs: 100 });
    const told: unknown[] = [];
    for (const name of ['fenced', 'zombies'] as const) worker.events.on(name, event => told.push(event));
    await Promise.all(['deaf', 'other'].map(key => node.dispatch(key, '', { wait: 'started', backoffMs: 1 })));
    const { pid } = notes('start')[0] as Note;
    expect(await node.stop('deaf', { wait: true })).toMatchObject({ status: 'stopped' });
    expect(isRunning(pid)).toBe(false);
    await until(() => notes('start').length === 3, 'the other to begin again');
    expect(notes('start')[2]).toMatchObject({ key: 'other', attempt: 2 });
    expect(told).toEqual([]);
  });

  it('go on after an error that nobody caught when somebody is told, and crash when nobody is', async () => {
    const source = `
      export async function run(job) {
        if (job.attempt === 1) { Promise.reject(new Error('floating')); await new Promise(r => setTimeout(r, 50)); }
        return String(job.attempt);
      }`;
    const told: unknown[] = [];
    const { handler } = await isolated(source, { onUnhandled: error => told.push(error) });
    const node = await fixture.node();
    const worker = await node.addWorker({ handler });
    expect(String((await node.dispatch('k', '', { wait: 'completed' })).result)).toBe('1');
    expect(told).toMatchObject([{ message: 'floating' }]);
    await worker.drain();
    const { handler: other } = await isolated(source);
    await node.addWorker({ handler: other });
    expect(String((await node.dispatch('l', '', { wait: 'completed', backoffMs: 1 })).result)).toBe('2');
  });
});
