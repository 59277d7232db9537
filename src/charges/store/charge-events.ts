/** The journal with what it numbers. */

import type { EntityManager } from '@mikro-orm/postgresql';

import type { ReadConnections } from '../../database/read-connections.ts';
import { ServiceError } from '../../errors/failure.ts';
import {
  JOURNAL_KIND,
  type JournalEntry,
  type JournalFollower,
  lastSequence,
  readJournal,
} from '../../journal/index.ts';
import { labelledUserProfiles } from '../../tenants/index.ts';
import type { JournalEvent } from '../charge-event.ts';
import type { CorrectionRow } from '../correction-entities.ts';
import type { ChargeRow } from '../entity.ts';
import { sequenceArchived } from '../errors.ts';
import type { JournalReader } from '../ports.ts';
import { archivedSequence } from './archived-charges.ts';
import type { ErasureEventRow } from '../erasure-entities.ts';
import { findCorrections } from './corrections.ts';
import { type CostRevision, findRevisions } from './cost-revisions.ts';
import { erasedEvent } from './erase-user-profile.ts';
import { findErasures } from './erasure-events.ts';
import { amendedEvent, createdEvent, repricedEvent, voidedEvent } from './event-rows.ts';
import { findByKeys, findRecorded } from './find-by-keys.ts';

/**
 * The events after `afterSequence`, at most `limit`, in order and without a gap. What they are about is read after the
 * journal: it was committed with it, and never changes, but it may be archived. Then it is missing, and the read fails
 * with `sequence_archived`. That is asked last, so it does not matter when it was archived.
 */
export async function readChargeEvents(
  em: EntityManager,
  tenant: string,
  afterSequence: bigint,
  limit: number,
): Promise<JournalEvent[]> {
  const entries = await readJournal(em, tenant, afterSequence, limit);
  if (entries.length === 0) return [];
  const rows = await readRows(em, tenant, entries);
  try {
    return entries.map((entry) => toEvent(entry, rows));
  } catch (error) {
    const archived = await archivedSequence(em, tenant);
    if (afterSequence >= archived) throw error;
    throw new ServiceError(sequenceArchived(afterSequence + 1n, archived), { cause: error });
  }
}

/** What the events of a page are about, by id. */
interface EventRows {
  readonly corrections: ReadonlyMap<string, CorrectionRow>;
  readonly revisions: ReadonlyMap<string, CostRevision>;
  /** The earlier costs of charges, by the id of the charge and the number of the revision. */
  readonly costs: ReadonlyMap<string, CostRevision>;
  /** Charges that were created, repriced or put in the place of another one. */
  readonly recorded: ReadonlyMap<string, ChargeRow>;
  /** Charges that were voided or amended. Nothing changes them afterwards, so they are as they were then. */
  readonly corrected: ReadonlyMap<string, ChargeRow>;
  readonly erasures: ReadonlyMap<string, ErasureEventRow>;
}

async function readRows(
  em: EntityManager,
  tenant: string,
  entries: readonly JournalEntry[],
): Promise<EventRows> {
  const { created, voided, amended, repriced, erased } = JOURNAL_KIND;
  const idsOf = (...kinds: readonly number[]) =>
    entries.flatMap(({ kind, eventId }) => (kinds.includes(kind) ? [eventId] : []));
  const corrections = await findCorrections(em, tenant, 'id', idsOf(voided, amended));
  const revisions = await findRevisions(em, tenant, idsOf(repriced));
  const recordedIds = [
    ...idsOf(created),
    ...corrections.flatMap(({ replacementId }) => replacementId || []),
    ...new Set(revisions.map(({ chargeId }) => chargeId)),
  ];
  const recorded = await findRecorded(em, tenant, recordedIds);
  const correctedIds = corrections.map(({ chargeId }) => chargeId);
  const corrected = await findByKeys(em, tenant, 'id', correctedIds);
  return {
    corrections: byId(corrections),
    revisions: byId(revisions),
    costs: new Map(revisions.map((one) => [costKey(one.chargeId, one.revision), one])),
    recorded: byId(recorded),
    corrected: byId(corrected),
    erasures: byId(await findErasures(em, tenant, idsOf(erased))),
  };
}

function toEvent({ sequence, kind, eventId }: JournalEntry, rows: EventRows): JournalEvent {
  switch (kind) {
    case JOURNAL_KIND.created:
      return createdEvent(known(rows.recorded, eventId), sequence);
    case JOURNAL_KIND.voided: {
      const correction = known(rows.corrections, eventId);
      return voidedEvent(known(rows.corrected, correction.chargeId), correction);
    }
    case JOURNAL_KIND.amended: {
      const correction = known(rows.corrections, eventId);
      const replacement = known(rows.recorded, correction.replacementId);
      return amendedEvent(known(rows.corrected, correction.chargeId), replacement, correction);
    }
    case JOURNAL_KIND.repriced: {
      const revision = known(rows.revisions, eventId);
      const charge = known(rows.recorded, revision.chargeId);
      const previous = rows.costs.get(costKey(charge.id, revision.revision - 1)) ?? charge;
      return repricedEvent(charge, revision, previous);
    }
    case JOURNAL_KIND.erased:
      return erasedEvent(known(rows.erasures, eventId));
  }
}

function byId<Row extends { readonly id: string }>(rows: readonly Row[]): Map<string, Row> {
  return new Map(rows.map((row) => [row.id, row]));
}

function costKey(chargeId: string, revision: number): string {
  return `${chargeId}/${revision}`;
}

function known<Row>(rows: ReadonlyMap<string, Row>, id: string): Row {
  const row = rows.get(id);
  if (row === undefined) throw new Error(`the journal numbers something that does not exist: ${id}`);
  return row;
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
    return this.#reads.use(tenant, (em) => lastSequence(em, tenant));
  }

  archivedSequence(tenant: string): Promise<bigint> {
    return this.#reads.use(tenant, (em) => archivedSequence(em, tenant));
  }

  read(tenant: string, afterSequence: bigint, limit: number): Promise<JournalEvent[]> {
    return this.#reads.use(tenant, (em) => readChargeEvents(em, tenant, afterSequence, limit));
  }

  labelledUserProfiles(
    tenant: string,
    userProfiles: ReadonlySet<string>,
    labels: ReadonlyMap<string, string>,
  ): Promise<ReadonlySet<string>> {
    return this.#reads.use(tenant, (em) => labelledUserProfiles(em, tenant, userProfiles, labels));
  }

  waitForMore(tenant: string, afterSequence: bigint, signal: AbortSignal): Promise<void> {
    return this.#follower.waitForMore(tenant, afterSequence, signal);
  }
}
