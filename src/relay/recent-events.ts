/** Events that server processes of this service committed a moment ago, until they are published. */

import type { CommittedEvents } from './committed-events.ts';
import type { EventMessage } from './event-message.ts';

/**
 * Groups by their place in their tenant's book. They come from several processes and so not always
 * in order, and some never come: those of other replicas, and what exceeds the bound. Whatever is
 * missing here stands in the journal.
 */
export class RecentEvents {
  readonly #eventsMax: number;
  readonly #byTenant = new Map<string, Map<bigint, readonly EventMessage[]>>();
  #size = 0;

  constructor(eventsMax: number) {
    this.#eventsMax = eventsMax;
  }

  /** Keeps a group, unless there are too many. */
  add({ tenant, firstSequence, messages }: CommittedEvents): void {
    if (this.#size + messages.length > this.#eventsMax) return;
    let groups = this.#byTenant.get(tenant);
    if (groups === undefined) {
      groups = new Map<bigint, readonly EventMessage[]>();
      this.#byTenant.set(tenant, groups);
    }
    if (groups.has(firstSequence)) return;
    groups.set(firstSequence, messages);
    this.#size += messages.length;
  }

  /**
   * The events right behind `afterSequence`, whole groups of them up to about `limit`; none: read
   * the journal. They stay until `forget`.
   */
  behind(tenant: string, afterSequence: bigint, limit: number): EventMessage[] {
    const groups = this.#byTenant.get(tenant);
    const found: EventMessage[] = [];
    let next = afterSequence + 1n;
    for (let group = groups?.get(next); group !== undefined; group = groups?.get(next)) {
      if (found.length > 0 && found.length + group.length > limit) break;
      found.push(...group);
      next += BigInt(group.length);
    }
    return found;
  }

  /** The last number that is here without a gap behind `afterSequence`; `afterSequence` itself: none. */
  reach(tenant: string, afterSequence: bigint): bigint {
    const groups = this.#byTenant.get(tenant);
    let last = afterSequence;
    for (let group = groups?.get(last + 1n); group !== undefined; group = groups?.get(last + 1n)) {
      last += BigInt(group.length);
    }
    return last;
  }

  /** Drops what begins at or before `sequence`: it is published, or was read from the journal. */
  forget(tenant: string, sequence: bigint): void {
    const groups = this.#byTenant.get(tenant);
    for (const [first, group] of groups ?? []) {
      if (first > sequence) continue;
      groups?.delete(first);
      this.#size -= group.length;
    }
  }

  /** Drops everything: another relay publishes, or none can. */
  clear(): void {
    this.#byTenant.clear();
    this.#size = 0;
  }
}
