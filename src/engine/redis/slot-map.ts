import { type Cluster, Command } from 'ioredis';
import type { RedisNode } from './url.ts';

/** Which node of a cluster has what, as the ordinary client of the link knows it: every redirection it meets corrects it. */
export class SlotMap {
  readonly #client: Cluster;

  constructor(client: Cluster) {
    this.#client = client;
  }

  /** Master of the slot of a key or channel, or undefined when that is not known now. */
  ownerOf(key: string): RedisNode | undefined {
    const owner = this.#client.slots[slotOf(key)]?.[0];
    if (owner === undefined) return undefined;
    const colon = owner.lastIndexOf(':');
    return { host: owner.slice(0, colon), port: Number(owner.slice(colon + 1)) };
  }

  /** Asks the cluster. Resolves also when nobody answered: the map is as it was then. */
  refresh(): Promise<void> {
    return new Promise(resolve => this.#client.refreshSlotsCache(() => resolve()));
  }
}

export function slotOf(key: string): number {
  return new Command('exists', [key]).getSlot();
}

export function nodeName({ host, port }: RedisNode): string {
  return `${host}:${port}`;
}
