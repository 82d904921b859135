/**
 * Configuration that changes while it is used: a replicated map, read locally, changed from anywhere, watched for changes.
 *
 *   PONOS_REDIS_URL=redis://127.0.0.1:6379 npx node examples/live-configuration.ts
 */
import { MapClient, RedisLink, ReplicatedMap, typedMap } from 'ponos';

interface Interval {
  ms: number;
}

const link = await RedisLink.connect({ url: process.env.PONOS_REDIS_URL });
const map = await ReplicatedMap.join(link, 'example-configuration');
// Values are text; a typed view turns them into JSON and back, and checks them when given a schema.
const intervals = typedMap<Interval>(map);

// The first process that starts sets the default; whoever comes later keeps what is there.
await intervals.setIfAbsent('poll', { ms: 1000 });

// Each change arrives here, whoever made it. `current` gives what is there already first.
const stop = new AbortController();
const watching = (async () => {
  for await (const change of intervals.watch({ key: 'poll', current: true }, stop.signal)) {
    console.log(
      `${change.kind} ${change.key ?? 'everything'}: ${change.value ? `every ${change.value.ms} ms` : 'gone'}`,
    );
  }
})();

// An operator's tool, elsewhere, needs no copy of the map to change it.
const tool = await MapClient.open(link, 'example-configuration');
const { revision } = await tool.set('poll', JSON.stringify({ ms: 250 } satisfies Interval));

// Changes take a moment to arrive. Who must see a certain one waits for its revision, and then reads without asking Redis.
await map.waitFor(revision);
console.log(`this process now polls every ${intervals.get('poll')?.ms} ms`);

// Two may change one entry at once: the write that expects what is no longer there changes nothing and says so.
const stale = await intervals.compareAndSet('poll', { value: { ms: 1000 } }, { ms: 500 });
console.log(`a write from an old reading: applied ${stale.applied}, it is ${stale.current?.ms} ms`);

await map.destroy();
stop.abort();
await watching;
await map.close();
await link.close();
