/** Reads a tenant's numbered book by cursor. */

import type { Pool } from 'pg';

import type { JournalEntry } from '../domain/charge.ts';
import { CHARGE_COLUMNS, type ChargeRow, fromChargeRow } from './charge-row.ts';

const READ_JOURNAL = `
SELECT journal.sequence, ${CHARGE_COLUMNS.map((column) => `charge.${column}`).join(', ')}
FROM journal JOIN charge ON charge.tenant = journal.tenant AND charge.id = journal.charge_id
WHERE journal.tenant = $1 AND journal.sequence > $2 AND journal.sequence <= $2 + $3::bigint
ORDER BY journal.sequence`;

/**
 * The entries behind `afterSequence`, at most `limit`, in order. Numbers have no gap and are
 * committed in order, so a range of numbers is a page and nothing can appear inside it later.
 */
export async function readJournal(
  pool: Pool,
  tenant: string,
  afterSequence: bigint,
  limit: number,
): Promise<JournalEntry[]> {
  const result = await pool.query<ChargeRow & { sequence: string }>({
    name: 'read_journal',
    text: READ_JOURNAL,
    values: [tenant, afterSequence, limit],
  });
  return result.rows.map((row) => ({
    tenant,
    sequence: BigInt(row.sequence),
    charge: fromChargeRow(row),
    traceparent: row.traceparent ?? undefined,
  }));
}

/** The number of the last committed entry; 0 for an empty or unknown book. */
export async function lastSequence(pool: Pool, tenant: string): Promise<bigint> {
  const result = await pool.query<{ last_sequence: string }>({
    name: 'last_sequence',
    text: 'SELECT last_sequence FROM book WHERE tenant = $1',
    values: [tenant],
  });
  return BigInt(result.rows[0]?.last_sequence ?? 0);
}

/** Every tenant's last number, for whoever follows all of them. */
export async function lastSequences(pool: Pool): Promise<Map<string, bigint>> {
  const result = await pool.query<{ tenant: string; last_sequence: string }>({
    name: 'last_sequences',
    text: 'SELECT tenant, last_sequence FROM book',
  });
  return new Map(result.rows.map((row) => [row.tenant, BigInt(row.last_sequence)]));
}
