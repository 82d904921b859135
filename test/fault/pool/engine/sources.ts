/** What the processes use of the engine, of what is public; the whole of it would take twice as long to load. */
export { systemClock } from '../../../../src/engine/core/clock.ts';
export {
  ExistsError,
  NotReplicatedError,
  PonosError,
  RedisUnavailableError,
} from '../../../../src/engine/core/errors.ts';
export { newId } from '../../../../src/engine/core/ids.ts';
export { PoolClient } from '../../../../src/engine/pool/client.ts';
export { createExecHandler } from '../../../../src/engine/pool/exec/handler.ts';
export { createIsolatedHandler } from '../../../../src/engine/pool/isolate/handler.ts';
export { PoolNode } from '../../../../src/engine/pool/node.ts';
export { RedisLink } from '../../../../src/engine/redis/link.ts';
