/**
 * Runs the dashboard on a terminal and gives the terminal back as it was: after quitting, after an error, on TERM, HUP
 * and INT, and around Ctrl-Z. The caller has checked that there is a terminal.
 */
import { render } from 'ink';
import { App } from './app.tsx';
import { type DashboardOptions, DashboardStore } from './dashboard-store.ts';
import type { FleetActions, FleetSource } from './source.ts';

export type { DashboardOptions } from './dashboard-store.ts';
export { type OnceOptions, renderOnce } from './once.ts';
export type { FleetActions, FleetSource } from './source.ts';

export interface DashboardSetup {
  source: FleetSource;
  /** Without actions the dashboard is read-only. */
  actions?: FleetActions | undefined;
  options?: DashboardOptions | undefined;
  stdout: NodeJS.WriteStream;
  stdin: NodeJS.ReadStream;
}

export interface DashboardEnd {
  /** What broke it; to be told now that the screen is the person's own again. */
  error?: unknown;
  /** The signal that ended it. */
  signal?: NodeJS.Signals;
}

const MAX_FPS = 15;
const ENDING_SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGHUP', 'SIGINT'];

/** Resolves when the person quits or something ends it; never rejects. */
export async function runDashboard({ source, actions, options, stdout, stdin }: DashboardSetup): Promise<DashboardEnd> {
  const size = () => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 });
  const store = new DashboardStore(source, actions, size(), options);
  const end: DashboardEnd = {};
  const onResize = () => store.resize(size());
  // Before Ink's own listener, so that the frame fits when Ink lays it out.
  stdout.on('resize', onResize);
  // A terminal that went away makes writing fail; SIGHUP ends us anyway.
  const ignore = () => {};
  stdout.on('error', ignore);
  store.start();
  const instance = render(<App store={store} />, {
    stdout,
    stdin,
    alternateScreen: true,
    incrementalRendering: true,
    interactive: true,
    maxFps: MAX_FPS,
    exitOnCtrlC: false,
    patchConsole: true,
    isScreenReaderEnabled: false,
  });
  const onSignal = (signal: NodeJS.Signals) => {
    end.signal = signal;
    instance.unmount();
  };
  for (const signal of ENDING_SIGNALS) process.on(signal, onSignal);
  // Before the process says what broke it: on this screen nobody would see it.
  const onBroken = () => instance.unmount();
  process.prependListener('uncaughtException', onBroken);
  process.prependListener('unhandledRejection', onBroken);
  try {
    await instance.waitUntilExit();
  } catch (error) {
    end.error = error;
  } finally {
    for (const signal of ENDING_SIGNALS) process.off(signal, onSignal);
    process.off('uncaughtException', onBroken);
    process.off('unhandledRejection', onBroken);
    stdout.off('resize', onResize);
    store.stop();
    // After a hang-up even the caller's last words go nowhere.
    if (end.signal !== 'SIGHUP') stdout.off('error', ignore);
  }
  return end;
}
