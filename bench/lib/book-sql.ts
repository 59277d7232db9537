/** The statements that make the generated book. Charges have the numbers 1, 2, 3 … in the order of their creation. */

import type { BookModel } from './book-models.ts';
import { createTime, GROUP, hash, idOf, random, SEED } from './book-parts.ts';

const USERS = 20_000;
const SESSION_CHARGES = 20;
/** Charges for each session that is open at the same time, on average: 125 sessions in a book of 10 million. */
const CHARGES_PER_OPEN_SESSION = 80_000;
/** Repriced charges in one entry of the journal. */
const REPRICE_GROUP = 500;

/** The models by their rank. */
export function modelTable(models: readonly BookModel[]): string {
  const rows = models.map(
    ({ provider, otherProvider, model, region, currency, inputNanos }, index) =>
      `(${index + 1}, ${provider}, nullif('${otherProvider}', ''), '${model}', nullif('${region}', ''), '${currency}', ${inputNanos})`,
  );
  return `
CREATE TEMP TABLE book_model (rank, provider, other_provider, model, region, currency, nanos) AS
VALUES ${rows.join(',\n  ')};
ANALYZE book_model`;
}

/** Which charges were created in which hour: most of them in the afternoon, few at weekends, more every month. */
export function hourTable(charges: number, end: string): string {
  return `
CREATE TEMP TABLE book_hour AS
WITH weighted AS (
  SELECT start, (0.1 + exp(-(((extract(hour FROM start) - 13.5) / 4) ^ 2)))
    * CASE WHEN extract(isodow FROM start) >= 6 THEN 0.3 ELSE 1 END
    * (1 + row_number() OVER (ORDER BY start) / (13 * 730.0)) AS weight
  FROM generate_series('${end}'::timestamptz - interval '13 months', '${end}'::timestamptz - interval '1 hour',
    interval '1 hour') AS start
), counted AS (
  SELECT start, round(${charges} * sum(weight) OVER (ORDER BY start) / sum(weight) OVER ())::bigint AS last FROM weighted
)
SELECT start, lag(last, 1, 0::bigint) OVER (ORDER BY start) + 1 AS first, last FROM counted ORDER BY start;
CREATE INDEX ON book_hour (last);
ANALYZE book_hour`;
}

/** All charges but the replacements. */
export function insertCharges(charges: number): string {
  const open = Math.max(1, Math.round(charges / CHARGES_PER_OPEN_SESSION));
  const session = `n / ${SESSION_CHARGES * open} * ${open} + (a & 1048575) % ${open}`;
  // The share of rank k is about 1/k^0.8 among users: 2.4 % for the first; and 1/k among models: 19 %.
  const userRank = `floor((1 + ${random('s', 0)} * (${USERS + 1} ^ 0.2 - 1)) ^ 5)::bigint`;
  const modelRank = `floor(41 ^ CASE WHEN ${random('a', 1)} < 0.7 THEN ${random('s', 1)} ELSE ${random('b', 0)} END)`;
  return `
INSERT INTO charge (tenant, id, request_key, content_hash, user_profile, session_key, provider, other_provider,
  charge_type, prompt_tokens, completion_tokens, total_tokens, cache_read_tokens, cache_write_5m_tokens,
  cache_write_1h_tokens, reasoning_tokens, audio_input_tokens, audio_output_tokens, image_input_tokens,
  image_output_tokens, model, reference, labels, usage_time, create_time, service_tier, region, quantities,
  reported_cost_nanos, reported_cost_currency, call_outcome, cost_nanos, cost_currency, price_version, unpriced_reason)
SELECT 'default', ${idOf('create_time', 'n')}, overlay(md5('request' || n) PLACING '4' FROM 13)::uuid, md5(n::text)::uuid,
  'user-' || lpad(user_rank::text, 5, '0'),
  CASE WHEN ${random('s', 2)} < 0.9 THEN 'session-' || lpad(to_hex(session), 8, '0') END,
  provider, other_provider, CASE WHEN ${random('a', 2)} < 0.97 THEN 1 ELSE 3 END,
  prompt, completion, prompt + completion, cache_read, none, none, reasoning, none, none, none, none, model,
  CASE WHEN session % 20 = 0 THEN 'case-' || session / 60 END,
  CASE WHEN session % 10 = 1 THEN jsonb_build_object('team', 'team-' || user_rank % 16, 'environment', 'production') END,
  CASE WHEN ${random('b', 1)} < 0.7 THEN create_time
    WHEN ${random('b', 1)} < 0.99 THEN create_time - ${random('b', 2)} * interval '30 seconds'
    ELSE create_time - ${random('b', 2)} * interval '3 days' END,
  create_time, CASE WHEN is_batch THEN 2 END, region,
  CASE WHEN ${random('c', 2)} < 0.01 THEN jsonb_build_object('20', (1 + n % 3)::text) END,
  CASE WHEN other_provider IS NOT NULL THEN cost END, CASE WHEN other_provider IS NOT NULL THEN currency END,
  CASE WHEN user_rank % 2 = 0 THEN CASE WHEN n % 50 = 0 THEN 2 WHEN n % 99 = 0 THEN 3 ELSE 1 END END,
  CASE WHEN is_priced THEN cost END, CASE WHEN is_priced THEN currency END,
  CASE WHEN is_priced THEN rank END, CASE WHEN NOT is_priced THEN 1 END
FROM (
  SELECT *, (nanos * (prompt - coalesce(cache_read, 0) + 4 * completion) + nanos / 10 * coalesce(cache_read, 0))
      / CASE WHEN is_batch THEN 2 ELSE 1 END AS cost,
    CASE WHEN cache_read IS NOT NULL THEN 0 END AS none
  FROM (
    SELECT *, CASE WHEN has_details THEN (prompt * ${random('c', 1)})::bigint END AS cache_read,
      CASE WHEN has_details THEN completion / 2 END AS reasoning
    FROM (
      SELECT n, create_time, session, a, b, c, s, ${userRank} AS user_rank, ${modelRank}::int AS model_rank,
        (10 ^ (1.5 + ${random('c', 0)} * 2.5))::bigint AS prompt,
        (10 ^ (1 + ${random('c', 1)} * 2))::bigint AS completion,
        n % 3 = session % 3 AS has_details, session % 33 = 2 AS is_batch, n % 200 <> 0 AS is_priced
      FROM (
        SELECT n, create_time, session, a, ${hash('n', SEED.amounts)} AS b, ${hash('n', SEED.sessionMore)} AS c,
          ${hash('session', SEED.session)} AS s
        FROM (
          SELECT n, create_time, a, ${session} AS session FROM (
            SELECT n, ${createTime('n')} AS create_time, ${hash('n', SEED.charge)} AS a
            FROM book_hour CROSS JOIN LATERAL generate_series(book_hour.first, book_hour.last) AS n OFFSET 0
          ) AS numbers OFFSET 0
        ) AS in_sessions OFFSET 0
      ) AS hashed OFFSET 0
    ) AS used JOIN book_model ON book_model.rank = model_rank OFFSET 0
  ) AS detailed OFFSET 0
) AS priced`;
}

/** An entry for each group of new charges, for all voids at one place, for each amendment, and for 500 new costs. */
export function insertJournal(charges: number): string {
  return `
INSERT INTO journal (tenant, last_sequence, kind, event_ids)
WITH created AS (
  SELECT (n - 1) / ${GROUP} AS place, max(n) AS last, array_agg(${idOf(createTime('n'), 'n')} ORDER BY n) AS ids
  FROM book_hour CROSS JOIN LATERAL generate_series(book_hour.first, book_hour.last) AS n
  GROUP BY 1
), happened AS (
  SELECT kind, max(sequence) AS last_sequence, array_agg(id ORDER BY sequence) AS ids
  FROM (
    SELECT *, CASE kind WHEN 2 THEN 0 WHEN 3 THEN sequence
      ELSE (row_number() OVER (PARTITION BY place, kind, run ORDER BY sequence) - 1) / ${REPRICE_GROUP} END AS part
    FROM book_event
  ) AS parts
  GROUP BY place, kind, run, part
), before AS (
  SELECT place, sum(count(*)) OVER (ORDER BY place) AS events FROM book_event GROUP BY place
)
SELECT 'default', last_sequence, kind, ids FROM (
  SELECT last + coalesce(max(before.events) OVER (ORDER BY created.place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)
    AS last_sequence, 1 AS kind, ids
  FROM created LEFT JOIN before ON before.place = created.place
  UNION ALL
  SELECT last_sequence, kind, ids FROM happened
) AS entries
ORDER BY last_sequence;
UPDATE journal_head SET last_sequence = ${charges} + (SELECT count(*) FROM book_event)`;
}

/** As if the relay had published everything. */
export const PUBLISHED = `
INSERT INTO relay_cursor SELECT tenant, last_sequence FROM journal_head WHERE tenant = 'default'`;
