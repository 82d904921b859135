import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type BulkOptions, type Outcome, runBulk } from '../../../src/cli/bulk.ts';

async function* numbers(count: number): AsyncGenerator<number> {
  for (let i = 1; i <= count; i++) yield i;
}

function options(reports: number[], more: Partial<BulkOptions<number, number>> = {}): BulkOptions<number, number> {
  return {
    act: async input => input * 2,
    report: async (outcome: Outcome<number, number>) => {
      reports.push(outcome.done ? outcome.result : -outcome.input);
    },
    inFlight: 4,
    continueOnError: true,
    stop: new AbortController(),
    ...more,
  };
}

test('reports come in the order of the input, whatever finishes first', async () => {
  const reports: number[] = [];
  const act = async (input: number) => {
    await pause(input % 3);
    return input;
  };
  const sum = await runBulk(numbers(20), options(reports, { act }));
  expect(reports).toEqual(Array.from({ length: 20 }, (_, at) => at + 1));
  expect(sum).toMatchObject({ doneCount: 20, failedCount: 0 });
});

test('no more are in flight than allowed, and that many are', async () => {
  let running = 0;
  let most = 0;
  const act = async (input: number) => {
    most = Math.max(most, ++running);
    await pause(1);
    running--;
    return input;
  };
  await runBulk(numbers(50), options([], { act }));
  expect(most).toBe(4);
});

test('a report comes while the input is silent', async () => {
  const reports: number[] = [];
  const stop = new AbortController();
  async function* silentAfterOne() {
    yield 1;
    await new Promise(resolve => stop.signal.addEventListener('abort', resolve));
  }
  const report = async () => {
    reports.push(1);
    stop.abort();
  };
  await runBulk(silentAfterOne(), options(reports, { report, stop }));
  expect(reports).toEqual([1]);
});

test('a failure ends the reading, unless told to go on', async () => {
  const act = async (input: number) => {
    if (input === 3) throw new Error('three');
    return input;
  };
  const short: number[] = [];
  const first = await runBulk(numbers(100), options(short, { act, continueOnError: false, inFlight: 1 }));
  expect(short).toEqual([1, 2, -3]);
  expect(first).toMatchObject({ doneCount: 2, failedCount: 1, firstError: new Error('three') });
  const long: number[] = [];
  const second = await runBulk(numbers(5), options(long, { act }));
  expect(long).toEqual([1, 2, -3, 4, 5]);
  expect(second).toMatchObject({ doneCount: 4, failedCount: 1 });
});

test('a report that cannot be written ends everything with its error', async () => {
  const stop = new AbortController();
  const report = async () => {
    throw new Error('closed');
  };
  await expect(runBulk(numbers(100), options([], { report, stop }))).rejects.toThrow('closed');
  expect(stop.signal.aborted).toBe(true);
});

test('a rate is kept on average', async () => {
  const startMs = performance.now();
  await runBulk(numbers(21), options([], { perSecond: 200 }));
  const tookMs = performance.now() - startMs;
  expect(tookMs).toBeGreaterThan(75);
});
