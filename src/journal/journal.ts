/** Reads a tenant's numbered book by cursor. */

import type { ClientBase, Pool } from 'pg';

import type { JournalEntry } from '../charges/charge.ts';
import { CHARGE_COLUMNS, type ChargeRow, fromChargeRow } from '../charges/store/charge-row.ts';

const COLUMNS = CHARGE_COLUMNS.join(', ');

/**
 * - The page ends in the first group that reaches its last number. Both ends are ranges of the key,
 *   so that a page costs the groups that it touches and no others.
 * - The charges of a group are looked up at once, not one by one. They come in the order of their
 *   ids, which is that of the group; should it ever not be, the array decides.
 * - OFFSET 0 and the window leave the planner this shape: it plans once, without the values, and
 *   from its guess of how many rows a range has it would read the whole table of charges.
 */
const READ_JOURNAL = `
SELECT before + CASE WHEN ids[nth] = id THEN nth ELSE array_position(ids, id) END AS sequence, ${COLUMNS}
FROM (
  SELECT greatest(before, $2) AS before,
    charge_ids[(greatest(before, $2) - before + 1)::int : ($2 + $3::bigint - before)::int] AS ids
  FROM (
    SELECT last_sequence - cardinality(charge_ids) AS before, charge_ids FROM journal
    WHERE tenant = $1 AND last_sequence > $2 AND last_sequence <= coalesce(
      (SELECT min(last_sequence) FROM journal WHERE tenant = $1 AND last_sequence >= $2 + $3::bigint),
      $2 + $3::bigint)
  ) AS touched
  OFFSET 0
) AS entry
CROSS JOIN LATERAL (
  SELECT row_number() OVER (ORDER BY id) AS nth, ${COLUMNS}
  FROM charge WHERE tenant = $1 AND id = ANY (ids)
) AS charge
ORDER BY sequence`;

/** A pool, or one connection of it. */
type Queryable = Pick<ClientBase, 'query'>;

/**
 * The entries behind `afterSequence`, at most `limit`, in order. Numbers have no gap and are
 * committed in order, so a range of numbers is a page and nothing can appear inside it later.
 */
export async function readJournal(
  connection: Queryable,
  tenant: string,
  afterSequence: bigint,
  limit: number,
): Promise<JournalEntry[]> {
  const result = await connection.query<ChargeRow & { sequence: string }>({
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
export async function lastSequence(connection: Queryable, tenant: string): Promise<bigint> {
  const result = await connection.query<{ last_sequence: string }>({
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
