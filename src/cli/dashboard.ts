/** The live dashboard on this process's terminal. React, Ink and Yoga are loaded here and nowhere else. */
import { FleetObserver, RedisLink } from '../engine/index.ts';
import type { DashboardOptions } from '../ui/dashboard.tsx';
import { UsageError } from './errors.ts';

export interface LiveDashboard {
  /** What is looked on through; it need not be able to write. */
  link: RedisLink;
  /** Opens what acts are carried out through; without it the dashboard is read-only. */
  openWriter?: (() => Promise<RedisLink>) | undefined;
  refreshMs?: number | undefined;
  options?: DashboardOptions | undefined;
}

/** Without an answer for so long the data counts as stale. */
export const ANSWER_MS = 2000;

/** @throws UsageError unless input and output are a terminal. */
export function requireTerminal(): void {
  if (process.stdin.isTTY && process.stdout.isTTY) return;
  throw new UsageError('the dashboard needs a terminal', {
    suggestions: [['ponos dashboard --once', 'print one frame and end']],
  });
}

/** Resolves when the person quits or a signal ends it. @throws what broke it */
export async function runLive({ link, openWriter, refreshMs, options }: LiveDashboard): Promise<void> {
  requireTerminal();
  const [{ runDashboard }, { fleetActions }] = await Promise.all([
    import('../ui/dashboard.tsx'),
    import('./dashboard/actions.ts'),
  ]);
  const observer = FleetObserver.of(link, { refreshMs });
  try {
    const running = runDashboard({
      source: observer,
      actions: openWriter && fleetActions(openWriter),
      options: { address: link.address, ...options },
      stdout: process.stdout,
      stdin: process.stdin,
    });
    // After the first frame, whose making would count as time that Redis took to answer.
    observer.start();
    const { error } = await running;
    if (error !== undefined) throw error;
  } finally {
    await observer.close();
  }
}

/** The dashboard of a Redis given by its address, with links of its own. */
export async function showDashboard({ url, readOnly }: { url: string; readOnly: boolean }): Promise<void> {
  requireTerminal();
  const link = await RedisLink.connect({
    url,
    access: 'read-only',
    clientName: 'ponos-dashboard',
    commandTimeoutMs: ANSWER_MS,
  });
  const writer = once(() => RedisLink.connect({ url, clientName: 'ponos-dashboard-act' }));
  try {
    await runLive({ link, openWriter: readOnly ? undefined : writer.get });
  } finally {
    const opened = await writer.present()?.catch(() => undefined);
    await Promise.all([link.close(), opened?.close()]);
  }
}

/** Makes something when it is first asked for, and again when that failed. */
export function once<T>(make: () => Promise<T>): { get: () => Promise<T>; present: () => Promise<T> | undefined } {
  let made: Promise<T> | undefined;
  const get = () => {
    if (made) return made;
    const making = make();
    made = making;
    making.catch(() => {
      made = undefined;
    });
    return making;
  };
  return { get, present: () => made };
}
