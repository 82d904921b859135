/** Single faults on replicas in processes of their own, in a short and a long form. What each returns is judged by its test. */
import { setTimeout as sleep } from 'node:timers/promises';
import { MapClient } from '../../../src/engine/maps/map-client.ts';
import type { RedisFixture } from '../../support/fixture.ts';
import { until } from '../../support/until.ts';
import { MapFleet } from './fleet.ts';
import { isWholeMessages } from './messages.ts';
import type { CountSum, ReplicaReport } from './replica-process.ts';

const CONVERGE_MS = 20_000;

/** Subscribers are killed again and again while others write. */
export async function subscribersKilled(redis: RedisFixture, plan: { resets: number; everyMs: number; seed: number }) {
  const fleet = await MapFleet.start(redis, 'subscribers', 5, {
    seed: plan.seed,
    writesPerSecond: 40,
    keyCount: 2000,
    options: { pollIntervalMs: 5000 },
  });
  for (let reset = 0; reset < plan.resets; reset++) {
    await sleep(plan.everyMs);
    await fleet.control.commands.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  }
  const { doneCount } = await fleet.quiet();
  const convergedMs = await fleet.converge(CONVERGE_MS);
  const staleCount = (await fleet.reports()).reduce((sum, report) => sum + report.staleCount, 0);
  await fleet.end();
  return { convergedMs, doneCount, staleCount };
}

/** The last message does not come, then there is silence. */
export async function lastMessageLost(redis: RedisFixture, plan: { pollIntervalMs: number; seed: number }) {
  const fleet = await MapFleet.start(redis, 'last-message', 5, {
    seed: plan.seed,
    options: { pollIntervalMs: plan.pollIntervalMs },
  });
  const writer = await MapClient.open(await redis.connect(), 'm');
  await writer.set('a', '1');
  await fleet.converge(CONVERGE_MS);
  const eaten = new Set<string>();
  for (const { proxy, name } of fleet.processes) {
    proxy.filter = bytes => {
      if (!isWholeMessages(bytes)) return bytes;
      eaten.add(name);
      return undefined;
    };
  }
  await writer.set('a', '2');
  await until(() => eaten.size === fleet.processes.length, 'every message to be eaten');
  const convergedMs = await fleet.converge(CONVERGE_MS);
  await fleet.end();
  return { convergedMs };
}

/** Redis is flushed while all write. */
export async function flushed(
  redis: RedisFixture,
  plan: { onStateLoss: 'clear' | 'reassert'; processCount: number; entryCount: number; seed: number },
) {
  const fleet = await MapFleet.start(redis, `flushed-${plan.onStateLoss}`, plan.processCount, {
    seed: plan.seed,
    writesPerSecond: 60 / plan.processCount,
    resets: false,
    options: { pollIntervalMs: 1000, onStateLoss: plan.onStateLoss },
  });
  const writer = await MapClient.open(await redis.connect(), 'm');
  const kept = Array.from({ length: plan.entryCount }, (_, i) => [`kept${i}`, `v${i}`.padEnd(200, '.')] as const);
  for (let at = 0; at < kept.length; at += 1000) await writer.setMany(kept.slice(at, at + 1000));
  const { revision } = await writer.set('last', '1');
  await until(async () => (await fleet.reports()).every(report => report.revision >= revision), 'all to have it');
  const generations = new Set((await fleet.reports()).map(({ generation }) => generation));
  const flushedAtMs = performance.now();
  await fleet.control.commands.call('FLUSHDB');
  const over = ({ lostCount, reassertedCount, connected }: ReplicaReport) =>
    connected && lostCount + reassertedCount > 0;
  await until(async () => (await fleet.reports()).every(over), 'all to tell it', { everyMs: 20 });
  const toldMs = Math.round(performance.now() - flushedAtMs);
  const { doneCount } = await fleet.quiet();
  const convergedMs = await fleet.converge(CONVERGE_MS);
  const [{ entries }, reports] = [await fleet.truth(), await fleet.reports()];
  await fleet.end();
  const missingCount = kept.filter(([key, value]) => entries.get(key) !== value).length;
  return { reports, generations, toldMs, doneCount, convergedMs, missingCount };
}

/** A replica that stands still while others write more than Redis keeps for it. */
export async function blocked(redis: RedisFixture, plan: { megabytes: number; limitMegabytes: number; seed: number }) {
  const limit = `pubsub ${plan.limitMegabytes}mb ${plan.limitMegabytes}mb 1`;
  const fleet = await MapFleet.start(redis, 'blocked', 2, {
    seed: plan.seed,
    // Not through the proxy, which would keep for it what Redis does not.
    url: redis.server.url,
    options: { pollIntervalMs: 5000 },
  });
  const { commands } = fleet.control;
  await commands.call('CONFIG', 'SET', 'client-output-buffer-limit', limit);
  const subscribers = async () =>
    String(await commands.call('CLIENT', 'LIST', 'TYPE', 'pubsub')).match(/^id=/gm)?.length;
  const before = await subscribers();
  const writer = await MapClient.open(await redis.connect(), 'm');
  const [victim] = fleet.processes as [(typeof fleet.processes)[0]];
  victim.signal('SIGSTOP');
  let writtenBytes = 0;
  let after = before;
  for (let i = 0; after === before && writtenBytes < plan.megabytes * 1024 ** 2; i++) {
    const value = `${i}`.padEnd(60_000, '.');
    await writer.set(`k${i % 50}`, value);
    writtenBytes += value.length;
    if (i % 20 === 0) after = await subscribers();
  }
  victim.signal('SIGCONT');
  const convergedMs = await fleet.converge(CONVERGE_MS);
  await fleet.end();
  return { cut: (before ?? 0) - (after ?? 0), convergedMs, writtenBytes };
}

/** Processes change the same entries at once; replies are lost and connections cut all the while. */
export async function counted(redis: RedisFixture, plan: { processCount: number; each: number; seed: number }) {
  const fleet = await MapFleet.start(redis, 'counted', plan.processCount, {
    seed: plan.seed,
    commandTimeoutMs: 5000,
    options: { retryMs: 60_000, maxEntries: 100 },
  });
  let running = true;
  let cuts = 0;
  const trouble = (async () => {
    while (running) {
      for (const { proxy } of fleet.processes) proxy.mode = 'swallow';
      await sleep(80);
      for (const { proxy } of fleet.processes) proxy.mode = 'pass';
      cuts++;
      await sleep(300);
    }
  })();
  const sums = await Promise.all(fleet.processes.map(process => process.count(plan.each))).finally(() => {
    running = false;
  });
  await trouble;
  const convergedMs = await fleet.converge(CONVERGE_MS);
  const { entries } = await fleet.truth();
  await fleet.end();
  const total = (kind: keyof CountSum) => sums.reduce((sum, each) => sum + each[kind], 0);
  const items = JSON.parse(entries.get('list') ?? '[]') as string[];
  return {
    cuts,
    convergedMs,
    known: {
      increments: total('increments'),
      appends: total('appends'),
      swaps: total('swaps'),
      uncertain: total('uncertain'),
    },
    found: {
      increments: Number(entries.get('n')),
      appends: items.length,
      distinct: new Set(items).size,
      swaps: Number(entries.get('swapped') ?? 0),
    },
  };
}
