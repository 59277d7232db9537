/** The statements that void, amend and reprice charges of the generated book. */

import { createTime, GROUP, hash, idOf, random, SEED } from './book-parts.ts';

const RUNS = 13;

/**
 * What happened to charges later, with the numbers of the journal. The fate of a charge is one of 10,000: 0 to 39 are
 * voided, 40 to 69 amended, 70 to 99 repriced, of which 70 to 72 twice, and 73 to 75 also voided. It happens after a
 * whole group of new charges (`place`, from 0), never before the group of the charge itself. Of what happens at the same
 * place, reprices come first.
 */
export function eventTable(charges: number): string {
  const lastPlace = Math.ceil(charges / GROUP) - 1;
  // A third within a thousandth of the range, the rest within a month.
  const later = (place: string): string =>
    `least(${lastPlace}, ${place} + floor(${random(hash('n', SEED.delay), 0)} ^ 6 * ${lastPlace} / 13)::bigint)`;
  const placeOfRun = (run: string): string => `(${run} * ${lastPlace}::bigint / ${RUNS})`;
  return `
CREATE TEMP TABLE book_event AS
WITH fates AS (
  SELECT n, (n - 1) / ${GROUP} AS place, (${hash('n', SEED.fate)} & 2147483647) % 10000 AS fate
  FROM generate_series(1, ${charges}::bigint) AS n
  WHERE (${hash('n', SEED.fate)} & 2147483647) % 10000 < 100
), runs AS (
  SELECT n, place, fate, greatest(1, (place * ${RUNS} + ${lastPlace} - 1) / greatest(1, ${lastPlace})) AS run
  FROM fates WHERE fate >= 70
), happened (n, kind, place, run, revision) AS (
  SELECT n, CASE WHEN fate < 40 THEN 2 ELSE 3 END, ${later('place')}, NULL, 0 FROM fates WHERE fate < 70
  UNION ALL
  SELECT n, 4, ${placeOfRun('run')}, run, 1 FROM runs
  UNION ALL
  SELECT n, 4, ${placeOfRun('(run + 1)')}, run + 1, 2 FROM runs WHERE fate < 73 AND run < ${RUNS}
  UNION ALL
  SELECT n, 2, ${later(placeOfRun('run'))}, NULL, 0 FROM runs WHERE fate BETWEEN 73 AND 75
), numbered AS (
  SELECT *, least((place + 1) * ${GROUP}, ${charges}) AS after_number,
    row_number() OVER (ORDER BY place, (kind + 1) % 5, run, n) AS event_number
  FROM happened
), timed AS (
  SELECT numbered.*, after_number + event_number AS sequence, after.time AS create_time, own.time AS charge_time
  FROM numbered
  CROSS JOIN LATERAL (
    SELECT ${createTime('after_number')} AS time FROM book_hour WHERE last >= after_number ORDER BY last LIMIT 1
  ) AS after
  CROSS JOIN LATERAL (
    SELECT ${createTime('n')} AS time FROM book_hour WHERE last >= n ORDER BY last LIMIT 1
  ) AS own
)
SELECT *, ${idOf('charge_time', 'n')} AS charge_id,
  CASE kind WHEN 4 THEN ${idOf('create_time', '(n * 2 + revision)', 'revision')}
    ELSE ${idOf('create_time', 'n', 'correction')} END AS id,
  CASE WHEN kind = 3 THEN ${idOf('create_time', 'n', 'replacement')} END AS replacement_id
FROM timed;
ANALYZE book_event`;
}

/** Charges that took the place of amended ones: with twice as many completion tokens. */
export const INSERT_REPLACEMENTS = `
CREATE TEMP TABLE book_replacement (LIKE charge);
INSERT INTO book_replacement
SELECT charge.* FROM charge JOIN book_event ON book_event.charge_id = charge.id WHERE kind = 3;
UPDATE book_replacement AS charge SET
  id = replacement_id, amends = charge_id, create_time = book_event.create_time,
  request_key = overlay(md5('amend' || n) PLACING '4' FROM 13)::uuid, content_hash = md5('amend' || n)::uuid,
  completion_tokens = completion_tokens * 2, total_tokens = total_tokens + completion_tokens,
  cost_nanos = cost_nanos + 4 * completion_tokens * coalesce((SELECT nanos FROM book_model WHERE rank = price_version), 0)
FROM book_event WHERE book_event.charge_id = charge.id AND kind = 3;
INSERT INTO charge SELECT * FROM book_replacement ORDER BY id`;

/** Voids and amendments. */
export const INSERT_CORRECTIONS = `
INSERT INTO correction (tenant, charge_id, id, sequence, create_time, state, replacement_id, closed_period, reason,
  request_id)
SELECT 'default', charge_id, id, sequence, create_time, kind, replacement_id, false, 'wrong customer',
  CASE WHEN kind = 2 THEN 'void-' || n END
FROM book_event WHERE kind IN (2, 3) ORDER BY sequence`;

/** Costs that charges got later: nine tenths of what they had, or a cost if they had none. */
export const INSERT_REVISIONS = `
INSERT INTO reprice_run (tenant, run, run_id, reason, filter, create_time)
SELECT 'default', run, 'month-' || run, 'new prices', '{"include_priced": true}', min(create_time)
FROM book_event WHERE kind = 4 GROUP BY run;
INSERT INTO cost_revision (tenant, charge_id, revision, id, sequence, create_time, run, cost_nanos, cost_currency,
  price_version)
SELECT 'default', charge_id, revision, book_event.id, sequence, book_event.create_time, run,
  coalesce(cost_nanos, total_tokens * 1000) * (10 - revision) / 10, coalesce(cost_currency, 'USD'),
  coalesce(price_version, 0) + 40 * revision
FROM book_event JOIN charge ON charge.id = charge_id WHERE kind = 4 ORDER BY sequence`;
