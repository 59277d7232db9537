/** The one statement that writes charges, and the look-up of what was there before. */

import type { ClientBase, DatabaseError } from 'pg';

import { BinaryArray } from '../../database/binary-array.ts';
import {
  CHARGE_COLUMNS,
  chargeParameters,
  chargeSelectList,
  type ChargeRow,
  type NewCharge,
} from './charge-row.ts';
import { sqlState } from '../../database/sql-errors.ts';

/**
 * Charges, request ids and the journal entry of one group, committed together.
 *
 * - The tenant is a plain equality in every part, so that a distributed PostgreSQL runs all of it on
 *   one node.
 * - `counter` takes the lock on the tenant's one row after the charges are in, so that it is held
 *   for the journal entry and the commit only, and numbers follow the order of commits.
 * - A missing `book` row makes the entry's number NULL, which the journal's key refuses: better an
 *   error than a charge without an event.
 * - Ids are UUIDv7 of one process and therefore sort by arrival.
 */
const insertChargesSql = (onConflict: string): string => `
WITH inserted AS (
  INSERT INTO charge (tenant, ${CHARGE_COLUMNS.join(', ')})
  SELECT $1::text, ${chargeSelectList(2)}
  ${onConflict}
  RETURNING id
), total AS (
  SELECT count(*) AS n, array_agg(id ORDER BY id) AS ids FROM inserted
), counter AS (
  UPDATE book SET last_sequence = last_sequence + total.n FROM total
  WHERE tenant = $1::text AND total.n > 0
  RETURNING last_sequence
), entry AS (
  INSERT INTO journal (tenant, last_sequence, charge_ids)
  SELECT $1::text, (SELECT last_sequence FROM counter), ids FROM total WHERE n > 0
)
SELECT
  (SELECT last_sequence FROM counter) AS last,
  CASE WHEN n < cardinality($2::uuid[]) THEN coalesce(ids, '{}')::text[] END AS ids
FROM total`;

/**
 * Two forms of the statement. Speculative insertion costs PostgreSQL 14 to 20 % more per row
 * (bench/write-cost.ts), and repeated request ids are rare: so a group is first written without it,
 * and once more with it when a key is there already.
 */
const STATEMENTS = {
  expectNew: { name: 'insert_charges', text: insertChargesSql('') },
  skipExisting: {
    name: 'insert_charges_skip_existing',
    text: insertChargesSql('ON CONFLICT (tenant, request_key) DO NOTHING'),
  },
} as const;

/** How a group is written: see {@link isRequestIdConflict}. */
export type InsertMode = keyof typeof STATEMENTS;

/** Whether `expectNew` met a request id that exists: nothing was written, `skipExisting` will do. */
export function isRequestIdConflict(error: unknown): boolean {
  return sqlState(error) === UNIQUE_VIOLATION && KEYS.has((error as DatabaseError).constraint ?? '');
}

const UNIQUE_VIOLATION = '23505';
/** The primary key as well: after a lost reply, the same charges with the same ids come again. */
const KEYS: ReadonlySet<string> = new Set(['charge_request_key', 'charge_pkey']);

/** What a write did. */
export interface InsertOutcome {
  /** Ids (UUID text) of the charges that were inserted; undefined: all of them. */
  readonly insertedIds: ReadonlySet<string> | undefined;
  /** Place of the last entry in the tenant's book; 0 when nothing was inserted. */
  readonly lastSequence: bigint;
}

/**
 * Writes the charges whose request ids are new, in one transaction; `skipExisting` leaves the others
 * alone, `expectNew` fails on them ({@link isRequestIdConflict}) and writes nothing.
 * Expects them sorted by request id, each id once: two writers that lock keys in different orders
 * would deadlock.
 */
export async function insertCharges(
  client: ClientBase,
  tenant: string,
  charges: readonly NewCharge[],
  mode: InsertMode,
): Promise<InsertOutcome> {
  const result = await client.query<{ last: string | null; ids: string[] | null }>({
    ...STATEMENTS[mode],
    values: [tenant, ...chargeParameters(charges)],
  });
  const row = result.rows[0];
  if (row === undefined) throw new Error('insert_charges returned no row');
  return {
    insertedIds: row.ids === null ? undefined : new Set(row.ids),
    lastSequence: BigInt(row.last ?? 0),
  };
}

/** Whether this charge is among those that the write inserted. */
export function wasInserted(outcome: InsertOutcome, charge: NewCharge): boolean {
  return outcome.insertedIds === undefined || outcome.insertedIds.has(charge.id);
}

/** The rows that earlier requests with these keys made. A new snapshot: it sees what the insert waited for. */
export async function selectByRequestKeys(
  client: ClientBase,
  tenant: string,
  requestKeys: readonly string[],
): Promise<ChargeRow[]> {
  const keys = new BinaryArray('uuid', requestKeys.length * 20 + 64);
  for (const key of requestKeys) keys.uuid(key);
  const result = await client.query<ChargeRow>({
    name: 'select_by_request_keys',
    text: `SELECT ${CHARGE_COLUMNS.join(', ')} FROM charge
           WHERE tenant = $1 AND request_key = ANY ($2::uuid[])`,
    values: [tenant, keys.parameter()],
  });
  return result.rows;
}
