/** How a statement of another feature adds its charges to the journal. */

/**
 * Common table expressions that number the rows of `inserted`, which must have a column `id`, and append
 * them to the journal of the tenant `$1`. They come after `inserted` in the WITH list; `total` (columns `n`
 * and `ids`) and `head` (column `last_sequence`) can be read.
 *
 * - `head` locks the tenant's one row after the charges are inserted. So the lock lasts for the journal
 *   entry and the commit only, and numbers follow the order of commits, without a gap.
 * - If the row of `journal_head` is missing, the entry's number is NULL, which the journal's key refuses.
 *   An error is better than a charge without an event.
 * - Ids are UUIDv7 of one process, so they sort by arrival.
 */
export const APPEND_TO_JOURNAL = `
total AS (
  SELECT count(*) AS n, array_agg(id ORDER BY id) AS ids FROM inserted
), head AS (
  UPDATE journal_head SET last_sequence = last_sequence + total.n FROM total
  WHERE tenant = $1::text AND total.n > 0
  RETURNING last_sequence
), entry AS (
  INSERT INTO journal (tenant, last_sequence, charge_ids)
  SELECT $1::text, (SELECT last_sequence FROM head), ids FROM total WHERE n > 0
)`;
