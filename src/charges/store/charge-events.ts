/** The journal with the charges that it numbers. */

import type { EntityManager } from '@mikro-orm/postgresql';

import type { ReadConnections } from '../../database/read-connections.ts';
import type { JournalFollower } from '../../journal/index.ts';
import { lastSequence, readJournal } from '../../journal/index.ts';
import type { ChargeEvent } from '../charge.ts';
import type { JournalReader } from '../ports.ts';
import { findRecorded } from './find-by-keys.ts';
import { chargeEvent } from './charge-row.ts';

/**
 * The events after `afterSequence`, at most `limit`, in order and without a gap. The charges are read
 * after the journal: they were committed with it and never change.
 */
export async function readChargeEvents(
  em: EntityManager,
  tenant: string,
  afterSequence: bigint,
  limit: number,
): Promise<ChargeEvent[]> {
  const entries = await readJournal(em, tenant, afterSequence, limit);
  if (entries.length === 0) return [];
  const ids = entries.map(({ eventId }) => eventId);
  const charges = await findRecorded(em, tenant, ids);
  const byId = new Map(charges.map((charge) => [charge.id, charge]));
  return entries.map(({ sequence, eventId }) => {
    const charge = byId.get(eventId);
    if (charge === undefined) throw new Error(`the journal numbers a charge that does not exist: ${eventId}`);
    return chargeEvent(charge, sequence);
  });
}

/** Reads over `reads`, and waits with `follower`. */
export class ChargeEventReader implements JournalReader {
  readonly #reads: ReadConnections;
  readonly #follower: JournalFollower;

  constructor(reads: ReadConnections, follower: JournalFollower) {
    this.#reads = reads;
    this.#follower = follower;
  }

  lastSequence(tenant: string): Promise<bigint> {
    return this.#reads.use((em) => lastSequence(em, tenant));
  }

  read(tenant: string, afterSequence: bigint, limit: number): Promise<ChargeEvent[]> {
    return this.#reads.use((em) => readChargeEvents(em, tenant, afterSequence, limit));
  }

  waitForMore(tenant: string, afterSequence: bigint, signal: AbortSignal): Promise<void> {
    return this.#follower.waitForMore(tenant, afterSequence, signal);
  }
}
