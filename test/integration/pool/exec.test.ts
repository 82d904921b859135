import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createExecHandler, type ExecHandlerOptions } from '../../../src/engine/pool/exec/handler.ts';
import { TEST_LEASE, usePool } from '../../support/pool.ts';
import { until } from '../../support/until.ts';

describe('jobs run as child processes', () => {
  const fixture = usePool();

  async function folder(): Promise<string> {
    const path = await mkdtemp(join(tmpdir(), 'ponos-exec-'));
    fixture.defer(() => rm(path, { recursive: true, force: true }));
    return path;
  }
  const exec = (options: Pick<ExecHandlerOptions, 'command' | 'kind' | 'stopBudgetMs' | 'output' | 'watchdogFile'>) =>
    createExecHandler({ env: { PATH: process.env.PATH }, output: 'ignore', ...options });

  it('gives the payload on standard input and the job in the environment', async () => {
    const path = await folder();
    const node = await fixture.node();
    const command = `cat > ${path}/payload; env | grep ^PONOS | sort > ${path}/env`;
    await node.addWorker({ handler: exec({ command, kind: 'task' }) });
    const payload = Buffer.from([0, 255, 10, 65]);
    const { token } = await node.dispatch('a=b c', payload, { wait: 'completed' });
    expect(await readFile(`${path}/payload`)).toEqual(payload);
    expect((await readFile(`${path}/env`, 'utf8')).trim().split('\n')).toEqual([
      'PONOS_JOB_ATTEMPT=1',
      'PONOS_JOB_GROUP=default',
      'PONOS_JOB_KEY=a=b c',
      `PONOS_JOB_TOKEN=${token}`,
      `PONOS_POOL=${node.pool}`,
    ]);
  });

  it('takes a program and its arguments as they are', async () => {
    const node = await fixture.node();
    const seen: string[] = [];
    const output = (_job: unknown, _stream: string, bytes: Buffer) => void seen.push(String(bytes));
    await node.addWorker({ handler: exec({ command: ['printf', '%s|', 'a b', '$HOME', "'"], kind: 'task', output }) });
    await node.dispatch('k', '', { wait: 'completed' });
    await until(() => seen.join('') === "a b|$HOME|'|", 'the output');
    expect(seen.join('')).toBe("a b|$HOME|'|");
  });

  it('fails the attempt of a task that exits with another code, and tries again', async () => {
    const node = await fixture.node();
    await node.addWorker({ handler: exec({ command: 'test "$PONOS_JOB_ATTEMPT" = 2', kind: 'task' }) });
    const done = await node.dispatch('k', '', { wait: 'completed', backoffMs: 1 });
    expect(done.status).toBe('completed');
    await expect(node.dispatch('never', '', { wait: 'completed', attempts: 1, id: 'x' })).rejects.toMatchObject({
      code: 'HANDLER_FAILED',
      message: expect.stringContaining('exited with code 1'),
    });
  });

  it('completes a service that exits with 0 and restarts one that does not', async () => {
    const path = await folder();
    const node = await fixture.node();
    const command = `echo $PONOS_JOB_ATTEMPT >> ${path}/starts; test "$PONOS_JOB_ATTEMPT" = 3`;
    await node.addWorker({ handler: exec({ command }) });
    await node.dispatch('k', '', { wait: 'completed', backoffMs: 1, backoffMaxMs: 5 });
    expect((await readFile(`${path}/starts`, 'utf8')).trim().split('\n')).toEqual(['1', '2', '3']);
  });

  it('ends the whole process group, by force when it does not listen', async () => {
    const path = await folder();
    const node = await fixture.node();
    const command = `trap '' TERM; sh -c "trap '' TERM; echo \\$\\$ > ${path}/grandchild; sleep 1000" & echo $$ > ${path}/child; wait`;
    await node.addWorker({ handler: exec({ command, stopBudgetMs: 100 }) });
    await node.dispatch('k', '', { wait: 'started' });
    const pid = await until(
      async () => Number(await readFile(`${path}/grandchild`, 'utf8').catch(() => '')),
      'the child',
    );
    await node.stop('k', { wait: true });
    await until(() => !alive(pid), 'the grandchild to end');
    expect(alive(pid)).toBe(false);
  });

  it('tells a command to stop before it is killed', async () => {
    const path = await folder();
    const node = await fixture.node();
    const command = `trap 'echo bye > ${path}/bye; exit 0' TERM; echo up > ${path}/up; while :; do sleep 0.05; done`;
    await node.addWorker({ handler: exec({ command }) });
    await node.dispatch('k', '', { wait: 'started' });
    await until(() => readFile(`${path}/up`, 'utf8').catch(() => ''), 'the child');
    await node.stop('k', { wait: true });
    expect(await readFile(`${path}/bye`, 'utf8')).toBe('bye\n');
    await expect(node.owner('k')).resolves.toBeUndefined();
  });

  it('gives a command its time to stop when the shell around it is gone at once', async () => {
    const path = await folder();
    const node = await fixture.node();
    const inner = `trap "sleep 0.2; echo bye > ${path}/bye; exit 0" TERM; echo up > ${path}/up; while :; do sleep 0.05; done`;
    await node.addWorker({ handler: exec({ command: `sh -c '${inner}'; true` }) });
    await node.dispatch('k', '', { wait: 'started' });
    await until(() => readFile(`${path}/up`, 'utf8').catch(() => ''), 'the child');
    const startMs = performance.now();
    await node.stop('k', { wait: true });
    expect(await readFile(`${path}/bye`, 'utf8')).toBe('bye\n');
    // Well before the budget is over: it is known when nothing of the group is left.
    expect(performance.now() - startMs).toBeLessThan(3000);
  });

  it('says why a command cannot run', async () => {
    const node = await fixture.node();
    await node.addWorker({ handler: exec({ command: ['/no/such/program'], kind: 'task' }) });
    await expect(node.dispatch('k', '', { wait: 'completed', attempts: 1 })).rejects.toMatchObject({
      code: 'HANDLER_FAILED',
      message: expect.stringContaining('exited with code 127'),
    });
  });

  /** A watchdog that tells its process id, and ends at once while there is a file `broken`. */
  async function watchdogIn(path: string): Promise<string> {
    const program = new URL('../../../src/engine/pool/exec/watchdog.ts', import.meta.url).href;
    const file = join(path, 'watchdog.mjs');
    await writeFile(
      file,
      `import { appendFileSync, existsSync } from 'node:fs';
appendFileSync(${JSON.stringify(join(path, 'watchdogs'))}, process.pid + '\\n');
if (existsSync(${JSON.stringify(join(path, 'broken'))})) {
  process.stdout.write('ready\\n', () => process.exit(1));
} else await import(${JSON.stringify(program)});
`,
    );
    return file;
  }
  const linesOf = async (file: string) =>
    (await readFile(file, 'utf8').catch(() => '')).split('\n').filter(line => line !== '');

  it('goes on under another watchdog when somebody kills the first, and tells it', async () => {
    const path = await folder();
    const node = await fixture.node();
    const command = `echo "$PONOS_JOB_KEY $$" >> ${path}/starts; while :; do sleep 0.1; done`;
    const handler = exec({ command, watchdogFile: await watchdogIn(path) });
    const worker = await node.addWorker({ handler });
    const errors: string[] = [];
    worker.events.on('error', error => errors.push(String(error)));
    await node.dispatch('k', '', { wait: 'started' });
    process.kill(Number((await linesOf(`${path}/watchdogs`))[0]), 'SIGKILL');
    // It begins only under the new one.
    await until(() => errors.length > 0, 'it to be told');
    await node.dispatch('l', '', { wait: 'started' });
    expect(await linesOf(`${path}/watchdogs`)).toHaveLength(2);
    await until(async () => (await linesOf(`${path}/starts`)).length === 2, 'both to run');
    const pids = (await linesOf(`${path}/starts`)).map(line => Number(line.split(' ')[1]));
    expect(pids.every(alive)).toBe(true);
    expect(errors).toEqual([expect.stringContaining('the watchdog of the jobs ended (SIGKILL)')]);
    // The new one guards both: it ends them when it is told that the worker is gone.
    await node.close();
    await until(() => !pids.some(alive), 'the children to end');
  });

  it('takes no jobs while there is no watchdog, and burns no attempt of those it had', {
    timeout: 40_000,
  }, async () => {
    const path = await folder();
    const node = await fixture.node({ lease: TEST_LEASE });
    const command = `echo "$PONOS_JOB_ATTEMPT $$" >> ${path}/starts; while :; do sleep 0.1; done`;
    const handler = exec({ command, watchdogFile: await watchdogIn(path) });
    const worker = await node.addWorker({ handler });
    const errors: string[] = [];
    worker.events.on('error', error => errors.push(String(error)));
    let failedCount = 0;
    worker.events.on('failed', () => failedCount++);
    await node.dispatch('k', '', { wait: 'started', attempts: 2 });
    await until(async () => (await linesOf(`${path}/starts`)).length === 1, 'it to run');
    const pid = Number((await linesOf(`${path}/starts`))[0]?.split(' ')[1]);
    await writeFile(`${path}/broken`, '');
    const fenced = worker.events.once('fenced');
    process.kill(Number((await linesOf(`${path}/watchdogs`))[0]), 'SIGKILL');
    await fenced;
    await until(() => !alive(pid), 'the child to end');
    const beganMs = performance.now();
    await until(() => performance.now() - beganMs > 4000, 'some attempts');
    // The first one, its successor, and those that follow 0.2, 0.4, 0.8, 1.6 s after each other or sooner by half.
    expect((await linesOf(`${path}/watchdogs`)).length).toBeLessThan(10);
    expect(errors.length).toBeGreaterThan(0);
    await rm(`${path}/broken`);
    await until(async () => (await linesOf(`${path}/starts`)).length > 1, 'it to run again', { limitMs: 20_000 });
    const attempts = (await linesOf(`${path}/starts`)).map(line => line.split(' ')[0]);
    expect(new Set(attempts)).toEqual(new Set(['1']));
    expect(failedCount).toBe(0);
  });

  it('kills the children when the lease is over, and starts them again with a new token', async () => {
    const path = await folder();
    const node = await fixture.node({ lease: TEST_LEASE });
    const command = `trap '' TERM; echo "$PONOS_JOB_TOKEN $$" >> ${path}/starts; while :; do sleep 1; done`;
    const worker = await node.addWorker({ handler: exec({ command }) });
    await node.dispatch('k', '', { wait: 'started' });
    const starts = async () =>
      (await readFile(`${path}/starts`, 'utf8').catch(() => ''))
        .trim()
        .split('\n')
        .filter(Boolean)
        .map(line => line.split(' ').map(Number));
    await until(async () => (await starts()).length === 1, 'the first start');
    const fenced = worker.events.once('fenced');
    await fixture.pauseRenewals(TEST_LEASE.leaseMs);
    await fenced;
    await until(async () => (await starts()).length === 2, 'the second start');
    const [[firstToken, firstPid], [secondToken]] = (await starts()) as [[number, number], [number, number]];
    expect(secondToken).toBeGreaterThan(firstToken);
    expect(alive(firstPid)).toBe(false);
  });
});

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
