/**
 * A stream that is waited for may turn out to be partitioned: then its name will never have events, and its partitions are
 * followed instead, from their beginning, because none was there when the waiting began.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { NotFoundError, partitionNames, type Reader, type RedisLink, showStream } from '../../engine/index.ts';

/** Between two looks whether it exists. */
const LOOK_MS = 500;

/** Looks until each of `streams` exists or `signal` aborts. `found` is told of each that is partitioned, before it is read. */
export async function followLatePartitions(
  link: RedisLink,
  reader: Reader,
  streams: readonly string[],
  found: (stream: string, partitions: readonly string[]) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  let missing = [...streams];
  while (missing.length > 0) {
    await pause(LOOK_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    const still: string[] = [];
    for (const stream of missing) {
      // Without a connection it cannot be told: the next look says.
      const partitions = await partitionsOf(link, stream).catch(() => undefined);
      if (partitions === undefined) still.push(stream);
      else if (partitions.length > 0 && !signal.aborted) {
        await found(stream, partitions);
        if (!(await follow(reader, stream, partitions))) still.push(stream);
      }
    }
    missing = still;
  }
}

/** undefined while the stream does not exist, none for one without partitions. */
async function partitionsOf(link: RedisLink, stream: string): Promise<string[] | undefined> {
  try {
    const { partitions } = await showStream(link, stream);
    return partitions === null ? [] : partitionNames(stream, partitions);
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}

/** Whether it could; a part of them is taken up again by the next try. */
async function follow(reader: Reader, stream: string, partitions: readonly string[]): Promise<boolean> {
  try {
    for (const partition of partitions) {
      if (!reader.streams.includes(partition)) await reader.addStream(partition, 'oldest');
    }
    await reader.removeStream(stream);
    return true;
  } catch {
    return false;
  }
}
