/** Archives charges: removes them, and keeps what must outlive them. */

import type { EntityManager } from '@mikro-orm/postgresql';

import type { Transaction } from '../../database/transaction.ts';
import { microsFromTimestamptz, timestamptzFromMicros } from '../../database/types/micros.ts';
import { ServiceError } from '../../errors/failure.ts';
import { type Actor, appendAuditEntry } from '../../tenants/index.ts';
import { type Candidate, type PeriodClose, type Progress, refusalToArchive } from '../archive.ts';
import type { ArchivedCharges } from '../charge.ts';
import { archivedSequence, findArchived } from './archived-charges.ts';
import type { Outcome } from './correction-rows.ts';
import { lookUp } from './look-up.ts';
import { closedPeriodFrom } from './period-closes.ts';

/** Which charges to archive. */
export interface ArchiveRequest {
  readonly endTimeMicros: bigint;
  /** In lower case. */
  readonly ids: readonly string[];
  /** Remove nothing, and answer the same. */
  readonly dryRun: boolean;
  readonly actor: Actor;
}

/**
 * Archives all of these charges, or none. The transaction has locked the tenant, so nobody corrects or reprices one of
 * them meanwhile. Repeating it is safe: what an earlier attempt has archived counts as archived before.
 */
export async function archiveCharges(
  transaction: Transaction,
  tenant: string,
  { endTimeMicros, ids, dryRun, actor }: ArchiveRequest,
): Promise<Outcome<ArchivedCharges>> {
  const { em } = transaction;
  const wanted = [...new Set(ids)];
  const before = new Set((await findArchived(em, tenant, 'id', wanted)).map(({ id }) => id));
  const left = wanted.filter((id) => !before.has(id));
  const closed = await closedPeriodFrom(em, tenant, endTimeMicros);
  const progress = await progressOf(em, tenant);
  const found = await candidates(em, tenant, left);
  const failure = refusalToArchive(endTimeMicros, closed, progress, found);
  if (failure !== undefined) return { results: [new ServiceError(failure)], events: [] };
  let sequence = await archivedSequence(em, tenant);
  if (closed !== undefined && left.length > 0) {
    if (closed.sequence > sequence) ({ sequence } = closed);
    if (!dryRun) {
      await remove(em, tenant, left, endOf(found), closed);
      const details = new Map([
        ['end_time', timestamptzFromMicros(endTimeMicros)],
        ['charges', String(left.length)],
      ]);
      const action = 'charge.v1.ChargeService/ArchiveCharges';
      await appendAuditEntry(transaction, actor, { tenant, action, details });
    }
  }
  return { results: [{ archived: left.length, alreadyArchived: before.size, sequence }], events: [] };
}

/** Just after the last usage of these charges: what was used then or later is all still there. */
function endOf(charges: readonly Candidate[]): bigint {
  return charges.reduce((end, { charge }) => {
    const after = charge ? charge.usageTimeMicros + 1n : end;
    return after > end ? after : end;
  }, charges[0]?.charge?.usageTimeMicros ?? 0n);
}

/**
 * How far the relay and the sums of usage have followed the journal of the tenant. The lock keeps a repair of the sums
 * away until the charges are removed: it makes sums from charges.
 */
async function progressOf(em: EntityManager, tenant: string): Promise<Progress> {
  const options = { loggerContext: em.getLoggerContext() };
  const [sums] = await em.execute<{ summed: string }[]>(
    'SELECT sequence AS summed FROM usage_cursor WHERE tenant = :tenant FOR SHARE',
    { tenant },
    options,
  );
  const [row] = await em.execute<{ published: string | null; repaired: string }[]>(
    `SELECT (SELECT published_sequence FROM relay_cursor WHERE tenant = :tenant) AS published,
       repaired_sequence AS repaired FROM journal_head WHERE tenant = :tenant`,
    { tenant },
    options,
  );
  return {
    published: BigInt(row?.published ?? 0),
    summed: BigInt(sums?.summed ?? 0),
    repaired: BigInt(row?.repaired ?? 0),
  };
}

interface CandidateRow {
  readonly id: string;
  readonly usage_time: string;
  readonly create_time: string;
  readonly last_change: string | null;
}

async function candidates(em: EntityManager, tenant: string, ids: readonly string[]): Promise<Candidate[]> {
  if (ids.length === 0) return [];
  const rows = await em.execute<CandidateRow[]>(
    `SELECT charge.id, charge.usage_time, charge.create_time, greatest(
       (SELECT sequence FROM correction WHERE correction.tenant = charge.tenant AND charge_id = charge.id),
       (SELECT sequence FROM cost_revision AS r WHERE r.tenant = charge.tenant AND r.charge_id = charge.id
        ORDER BY revision DESC LIMIT 1)) AS last_change
     FROM ${lookUp('charge', 'id', 'uuid')}`,
    { tenant, values: ids },
    { loggerContext: em.getLoggerContext() },
  );
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => {
    const row = byId.get(id);
    const charge = row && {
      usageTimeMicros: microsFromTimestamptz(row.usage_time),
      createTimeMicros: microsFromTimestamptz(row.create_time),
      lastChangeSequence: BigInt(row.last_change ?? 0),
    };
    return { id, charge };
  });
}

/**
 * Their corrections stay: a correction keeps the request id of its void for ever, and may lead to a charge that is not
 * archived. There are few.
 *
 * The last statement changes something only once. But it always makes the row of the journal's head a new one. So a
 * write that has waited for a charge to be removed fails and is tried again if its session is at REPEATABLE READ,
 * where it cannot see what is archived meanwhile.
 */
async function remove(
  em: EntityManager,
  tenant: string,
  ids: readonly string[],
  endTimeMicros: bigint,
  { sequence }: PeriodClose,
): Promise<void> {
  const parameters = { tenant, values: ids, endTime: timestamptzFromMicros(endTimeMicros), sequence };
  for (const statement of [REMOVE, ADVANCE, TELL_WRITERS]) {
    await em.execute(statement, parameters, { loggerContext: em.getLoggerContext() });
  }
}

/** Keeps their request ids, and removes them and their later costs. The service itself may not delete from the tables. */
const REMOVE = 'SELECT archive_charges(:values::uuid[])';
const ADVANCE = `
INSERT INTO archive (tenant, end_time, sequence) VALUES (:tenant, :endTime::timestamptz, :sequence::bigint)
ON CONFLICT (tenant) DO UPDATE SET
  end_time = greatest(archive.end_time, excluded.end_time),
  sequence = greatest(archive.sequence, excluded.sequence)`;
const TELL_WRITERS = `UPDATE journal_head SET has_archive = true WHERE tenant = :tenant`;
