import { PassThrough } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { confirm } from '../../../src/cli/confirm.ts';
import { Interrupt } from '../../../src/cli/interrupt.ts';
import { until } from '../../support/until.ts';

function terminal(isTTY = true) {
  return { input: Object.assign(new PassThrough(), { isTTY }), output: Object.assign(new PassThrough(), { isTTY }) };
}

describe('a confirmation', () => {
  it.each([
    ['y\n', true],
    ['YES\n', true],
    ['\n', false],
    ['n\n', false],
    ['maybe\n', false],
  ])('answered %j is taken as %s', async (answer, agreed) => {
    const streams = terminal();
    const asked = confirm('Remove it', { ...streams, yes: false, noInput: false });
    streams.input.write(answer);
    if (agreed) await expect(asked).resolves.toBeUndefined();
    else await expect(asked).rejects.toMatchObject({ code: 'NOT_CONFIRMED' });
    expect(String(streams.output.read())).toContain('Remove it? [y/N]');
  });

  it('is a no when the input ends', async () => {
    const streams = terminal();
    const asked = confirm('Remove it', { ...streams, yes: false, noInput: false });
    streams.input.end();
    await expect(asked).rejects.toMatchObject({ code: 'NOT_CONFIRMED' });
  });

  it('is not asked for without a terminal, or with --no-input, and nothing is done', async () => {
    const refusal = { code: 'NOT_CONFIRMED', hint: expect.stringContaining('--yes') };
    await expect(confirm('Remove it', { ...terminal(false), yes: false, noInput: false })).rejects.toMatchObject(
      refusal,
    );
    await expect(confirm('Remove it', { ...terminal(), yes: false, noInput: true })).rejects.toMatchObject(refusal);
  });

  it('is given beforehand by --yes', async () => {
    await expect(confirm('Remove it', { ...terminal(false), yes: true, noInput: true })).resolves.toBeUndefined();
  });

  it('shows names escaped', async () => {
    const streams = terminal();
    const asked = confirm('Remove "\u001b[2J"', { ...streams, yes: false, noInput: false });
    streams.input.write('n\n');
    await asked.catch(() => {});
    expect(String(streams.output.read())).toContain('Remove "\\x1b[2J"?');
  });
});

describe('signals', () => {
  const setUp = () => {
    const cleanUp = vi.fn(async () => {});
    const exit = vi.fn<(code: number) => void>();
    const interrupt = new Interrupt({ cleanUp, exit });
    interrupt.install();
    return { cleanUp, exit, interrupt };
  };
  const send = (signal: NodeJS.Signals) => process.emit(signal, signal);

  it.each<[NodeJS.Signals, number]>([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ])('%s cleans up, then ends with %d', async (signal, code) => {
    const { cleanUp, exit, interrupt } = setUp();
    send(signal);
    await until(() => exit.mock.calls.length > 0, 'the exit');
    interrupt.dispose();
    expect(cleanUp).toHaveBeenCalledOnce();
    expect(exit).toHaveBeenCalledExactlyOnceWith(code);
  });

  it('let a graceful command end by itself, and end it at the second', async () => {
    const { cleanUp, exit, interrupt } = setUp();
    const first = vi.fn();
    const signal = interrupt.graceful({ first });
    send('SIGTERM');
    expect(signal.aborted).toBe(true);
    expect(first).toHaveBeenCalledExactlyOnceWith('SIGTERM');
    expect(exit).not.toHaveBeenCalled();
    send('SIGINT');
    interrupt.dispose();
    expect(exit).toHaveBeenCalledExactlyOnceWith(130);
    expect(cleanUp).not.toHaveBeenCalled();
  });

  it('allow one last act at the second, and none at the third', async () => {
    const { exit, interrupt } = setUp();
    let acted = false;
    interrupt.graceful({
      second: () =>
        new Promise(() => {
          acted = true;
        }),
    });
    send('SIGINT');
    send('SIGINT');
    await until(() => acted, 'the last act');
    expect(exit).not.toHaveBeenCalled();
    send('SIGINT');
    interrupt.dispose();
    expect(exit).toHaveBeenCalledExactlyOnceWith(130);
  });
});
