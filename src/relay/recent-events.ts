/** Events that server processes of this service have just committed, until they are published. */

import type { CommittedEvents } from './committed-events.ts';
import type { EventMessage } from './event-message.ts';

/**
 * Groups by the number of their first event. They come from several processes, so not always in order, and
 * some never come: those of other replicas, and those beyond the limit of bytes. What is missing here is
 * in the journal.
 */
export class RecentEvents {
  readonly #bytesMax: number;
  readonly #byTenant = new Map<string, Map<bigint, CommittedEvents>>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Keeps a group, unless it exceeds the limit. */
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
   * The events directly after `afterSequence`, in whole groups, about `limit` of them; none: read the
   * journal. They stay until `forget`.
   */
  after(tenant: string, afterSequence: bigint, limit: number): EventMessage[] {
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

  /** The last number up to which there is no gap after `afterSequence`; `afterSequence` itself: nothing is here. */
  reach(tenant: string, afterSequence: bigint): bigint {
    const groups = this.#byTenant.get(tenant);
    let last = afterSequence;
    for (let group = groups?.get(last + 1n); group !== undefined; group = groups?.get(last + 1n)) {
      last += BigInt(group.messages.length);
    }
    return last;
  }

  /** Drops events up to `sequence`: they are published. What is left of a group keeps the memory of the whole. */
  forget(tenant: string, sequence: bigint): void {
    const groups = this.#byTenant.get(tenant);
    if (groups === undefined) return;
    for (const [first, group] of [...groups]) {
      if (first > sequence) continue;
      groups.delete(first);
      const messages = group.messages.slice(Number(sequence - first) + 1);
      const next = sequence + 1n;
      if (messages.length > 0 && !groups.has(next))
        groups.set(next, { ...group, firstSequence: next, messages });
      else this.#bytes -= group.sizeBytes;
    }
    if (groups.size === 0) this.#byTenant.delete(tenant);
  }

  /** Drops everything, because another relay publishes. */
  clear(): void {
    this.#byTenant.clear();
    this.#bytes = 0;
  }
}
