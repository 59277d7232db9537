/** Events that server processes of this service committed a moment ago, until they are published. */

import type { CommittedEvents } from './committed-events.ts';
import type { EventMessage } from './event-message.ts';

/**
 * Groups by their place in their tenant's book. They come from several processes and so not always
 * in order, and some never come: those of other replicas, and what exceeds the bound. Whatever is
 * missing here stands in the journal.
 */
export class RecentEvents {
  readonly #bytesMax: number;
  readonly #byTenant = new Map<string, Map<bigint, CommittedEvents>>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Keeps a group, unless it exceeds the bound. */
  add(events: CommittedEvents): void {
    const { tenant, firstSequence, sizeBytes } = events;
    if (this.#bytes + sizeBytes > this.#bytesMax) return;
    let groups = this.#byTenant.get(tenant);
    if (groups === undefined) {
      groups = new Map<bigint, CommittedEvents>();
      this.#byTenant.set(tenant, groups);
    }
    if (groups.has(firstSequence)) return;
    groups.set(firstSequence, events);
    this.#bytes += sizeBytes;
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
      const { messages } = group;
      if (found.length > 0 && found.length + messages.length > limit) break;
      found.push(...messages);
      next += BigInt(messages.length);
    }
    return found;
  }

  /** The last number that is here without a gap behind `afterSequence`; `afterSequence` itself: none. */
  reach(tenant: string, afterSequence: bigint): bigint {
    const groups = this.#byTenant.get(tenant);
    let last = afterSequence;
    for (let group = groups?.get(last + 1n); group !== undefined; group = groups?.get(last + 1n)) {
      last += BigInt(group.messages.length);
    }
    return last;
  }

  /** Drops what begins at or before `sequence`: it is published, or was read from the journal. */
  forget(tenant: string, sequence: bigint): void {
    const groups = this.#byTenant.get(tenant);
    for (const [first, group] of groups ?? []) {
      if (first > sequence) continue;
      groups?.delete(first);
      this.#bytes -= group.sizeBytes;
    }
  }

  /** Drops everything: another relay publishes, or none can. */
  clear(): void {
    this.#byTenant.clear();
    this.#bytes = 0;
  }
}
