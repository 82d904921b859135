import {
  ConflictError,
  drainWorker,
  MapClient,
  NotFoundError,
  PoolClient,
  type PoolClientOptions,
  type RedisLink,
} from '../../engine/index.ts';
import type { FleetActions } from '../../ui/source.ts';

/** What a person may do from the dashboard. The link that can write is opened with the first act. */
export function fleetActions(open: () => Promise<RedisLink>): FleetActions {
  const inPool = async <T>(
    pool: string,
    act: (client: PoolClient) => Promise<T>,
    options: PoolClientOptions = {},
  ): Promise<T> => {
    const client = await PoolClient.open(await open(), pool, options);
    try {
      return await act(client);
    } finally {
      await client.close();
    }
  };
  return {
    'stop-job': async ({ pool, key }) => {
      const { status } = await inPool(pool, client => client.stop(key), { allowUnsafeEviction: true });
      return status === 'stopped' ? `stopped ${key}` : `${key} is stopping`;
    },
    'notify-job': async ({ pool, key, payload }) => {
      await inPool(pool, client => client.notify(key, payload));
      return `${key} will be notified`;
    },
    'drain-worker': async ({ pool, worker }) => {
      await drainWorker(await open(), pool, worker);
      return `${worker} is draining`;
    },
    'set-map-value': async ({ map, key, value, expected }) => {
      const client = await MapClient.open(await open(), map);
      const { applied } = await client.compareAndSet(key, { value: expected }, value);
      if (!applied) throw new ConflictError(`${key} was changed meanwhile; nothing was set`);
      return `set ${key}`;
    },
    'delete-map-key': async ({ map, key }) => {
      const client = await MapClient.open(await open(), map);
      const { changed } = await client.delete(key);
      if (!changed) throw new NotFoundError('key', key);
      return `deleted ${key}`;
    },
  };
}
