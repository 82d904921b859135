import { describe, expect, it } from 'vitest';
import type { AddWorkerOptions } from '../../../src/engine/pool/node.ts';
import { TEST_LEASE, usePool } from '../../support/pool.ts';
import { Recorder } from '../../support/recorder.ts';
import { until } from '../../support/until.ts';

describe('capacity and weight', () => {
  const fixture = usePool();
  const keys = (count: number) => Array.from({ length: count }, (_, at) => `job-${at}`);

  async function worker(recorder: Recorder, id: string, options: Partial<AddWorkerOptions> = {}) {
    const node = await fixture.node({ lease: TEST_LEASE });
    return { node, worker: await node.addWorker({ id, handler: recorder.service(id), ...options }) };
  }

  const startAll = async (node: Awaited<ReturnType<typeof worker>>['node'], all: string[]) => {
    await Promise.all(all.map(key => node.dispatch(key, '', { wait: 'started' })));
  };

  it('share the jobs by weight, those dispatched and those that move when a worker joins', async () => {
    const recorder = new Recorder();
    const { node } = await worker(recorder, 'light');
    await worker(recorder, 'heavy', { weight: 3 });
    const all = keys(600);
    await startAll(node, all);
    const share = (id: string) => recorder.runningOn(id).length / all.length;
    expect(share('heavy')).toBeGreaterThan(0.68);
    expect(share('heavy')).toBeLessThan(0.82);
    await worker(recorder, 'late', { weight: 4 });
    await until(() => recorder.runningCount === all.length && share('late') > 0.43, 'the late one to have its half');
    expect(share('late')).toBeLessThan(0.57);
    expect(share('heavy') / share('light')).toBeGreaterThan(2.2);
    expect(recorder.overlaps).toEqual([]);
  });

  it('pass what a full worker cannot take to the next in rank, and never overfill', async () => {
    const recorder = new Recorder();
    const { node } = await worker(recorder, 'small', { capacity: 5 });
    await worker(recorder, 'large', { capacity: 20 });
    await startAll(node, keys(25));
    expect([recorder.runningOn('small').length, recorder.runningOn('large').length]).toEqual([5, 20]);
    await node.dispatch('waits');
    expect(await node.owner('waits')).toBeUndefined();
    await node.stop('job-0', { wait: true });
    await until(() => recorder.owner('waits'), 'the job that waits to be taken');
    expect(recorder.runningCount).toBe(25);
  });

  it('move no more jobs than there is room when a worker has room again, each once', async () => {
    const recorder = new Recorder();
    const { node } = await worker(recorder, 'small', { capacity: 10 });
    await worker(recorder, 'large');
    const all = keys(100);
    await startAll(node, all);
    expect(recorder.runningOn('small').length).toBe(10);
    const before = recorder.happenings.length;
    // Room for two, wanted by about forty.
    const ended = recorder.runningOn('small').slice(0, 2);
    for (const key of ended) await node.stop(key, { wait: true });
    await until(() => recorder.runningOn('small').length === 10, 'the room to be used');
    const places = await Promise.all(all.map(key => node.where(key)));
    expect(places.filter(place => place.recorded).length).toBe(98);
    const moved = recorder.happenings.slice(before).filter(({ key }) => !ended.includes(key));
    expect(moved.map(({ what, worker: at }) => `${what} ${at}`).toSorted()).toEqual([
      'start small',
      'start small',
      'stop large',
      'stop large',
    ]);
  });
});
