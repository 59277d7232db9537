/** How a statement of another feature adds its charges to the journal. */

import type { DatabaseError } from 'pg';

import { JOURNAL_KIND } from './entity.ts';

/**
 * Common table expressions that number the rows of `inserted`, new charges with a column `id`, and append
 * them to the journal of the tenant `$1`. They come after `inserted` in the WITH list; `total` (columns `n`
 * and `ids`) and `head` (columns `last_sequence` and `has_archive`) can be read.
 *
 * - `head` locks the tenant's one row after the charges are inserted. So the lock lasts for the journal
 *   entry and the commit only, and numbers follow the order of commits, without a gap.
 * - `expected` is SQL of what the charges were made with, as a condition on the row of `journal_head`. If it is no
 *   longer true, or if the row is missing, the entry's number is NULL, which the journal's key refuses
 *   ({@link isHeadMismatch}). So every charge is priced with the versions that come before it, and there is no charge
 *   without an event.
 * - Ids are UUIDv7 of one process, so they sort by arrival.
 */
export function appendToJournal(expected: string): string {
  return `
total AS (
  SELECT count(*) AS n, array_agg(id ORDER BY id) AS ids FROM inserted
), head AS (
  UPDATE journal_head SET last_sequence = last_sequence + total.n FROM total
  WHERE tenant = $1::text AND total.n > 0 AND ${expected}
  RETURNING last_sequence, has_archive
), entry AS (
  INSERT INTO journal (tenant, last_sequence, kind, event_ids)
  SELECT $1::text, (SELECT last_sequence FROM head), ${JOURNAL_KIND.created}, ids FROM total WHERE n > 0
)`;
}

/** Whether the entry had no number: what was expected is no longer true, or the tenant has no journal. */
export function isHeadMismatch(error: unknown): boolean {
  const { code, table, column } = error as Partial<DatabaseError>;
  return code === NOT_NULL_VIOLATION && table === 'journal' && column === 'last_sequence';
}

const NOT_NULL_VIOLATION = '23502';
