/** Charges that are stored beforehand. PostgreSQL makes them itself: ten million over gRPC would take minutes more. */

import type pg from 'pg';

import { withClient } from './environment.ts';
import { ratesOf, TIER_ABOVE, TIER_FACTOR } from './price-list.ts';
import { MODELS } from './workload.ts';

const BATCH = 1_000_000;
/** Charges in one entry of the journal: about the size of groups with 256 calls in flight. */
const GROUP = 64;

interface Definition {
  readonly table: string;
  readonly name: string;
  readonly definition: string;
  readonly constraint: boolean;
}

/**
 * Fills an empty, migrated database with `count` charges and their journal, as if the relay had published
 * all of them (`published`) or none. Indexes are made afterwards, which is faster and leaves them denser
 * than writes do. Keys are like those of the workload: ids in order of time, request ids at random. Costs are those of
 * the list of prices, which is not stored.
 */
export function fillCharges(databaseUrl: string, count: number, published: boolean): Promise<void> {
  return withClient(databaseUrl, async (client) => {
    const makeIndexes = await dropIndexes(client);
    for (let first = 1; first <= count; first += BATCH) {
      await client.query(FILL, [first, Math.min(first + BATCH - 1, count), count]);
    }
    await client.query(`
      INSERT INTO journal (tenant, last_sequence, kind, event_ids)
      SELECT tenant, max(sequence), 1, array_agg(id ORDER BY id)
      FROM (SELECT tenant, id, row_number() OVER (ORDER BY id) AS sequence FROM charge) AS numbered
      GROUP BY tenant, (sequence - 1) / ${GROUP}`);
    await client.query('UPDATE journal_head SET last_sequence = $1', [count]);
    if (published) await client.query(`INSERT INTO relay_cursor VALUES ('default', $1)`, [count]);
    await makeIndexes();
    await client.query('VACUUM (ANALYZE, FREEZE)');
    await client.query('CHECKPOINT');
  });
}

/** Bytes on disk per charge: its row, its part of the journal, and all indexes of both. */
export function bytesPerCharge(databaseUrl: string): Promise<number> {
  return withClient(databaseUrl, async (client) => {
    const { rows } = await client.query<{ bytes: string; charges: string }>(`
      SELECT sum(pg_total_relation_size(oid)) AS bytes, (SELECT count(*) FROM charge) AS charges FROM pg_class
      WHERE oid IN ('charge'::regclass, 'journal'::regclass)`);
    return Math.round(Number(rows[0]?.bytes) / Number(rows[0]?.charges));
  });
}

/** Models of twenty charges in turn, by their place in the workload's list and about as frequent as there. */
const PLACES = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 3, 3, 3, 4, 4];
const twentieths = (values: readonly (string | number | undefined)[]): string => `{${values.join(',')}}`;
const PROVIDERS = twentieths(PLACES.map((place) => MODELS[place]?.provider));
const NAMES = twentieths(PLACES.map((place) => MODELS[place]?.model));
const VERSIONS = twentieths(PLACES.map((place) => place + 1));
const INPUT_RATES = twentieths(PLACES.map((place) => ratesOf(place).input));
const OUTPUT_RATES = twentieths(PLACES.map((place) => ratesOf(place).output));

/** One charge a millisecond up to now, spread over users, sessions and models like the workload. */
const FILL = `
INSERT INTO charge (tenant, id, request_key, content_hash, user_profile, session_key, provider, charge_type,
  prompt_tokens, completion_tokens, total_tokens, model, labels, usage_time, create_time,
  cost_nanos, cost_currency, price_version)
SELECT 'default', id, gen_random_uuid(),
  md5(n::text)::uuid, 'user-' || lpad((random() * 999)::int::text, 4, '0'),
  'session-' || lpad(to_hex(n / 20), 8, '0'), ('${PROVIDERS}'::int[])[1 + n % 20], 1,
  prompt, completion, prompt + completion,
  ('${NAMES}'::text[])[1 + n % 20],
  CASE WHEN n % 10 = n / 20 % 10 THEN jsonb_build_object('team', 'team-' || n % 16, 'environment', 'production') END,
  uuid_extract_timestamp(id), uuid_extract_timestamp(id),
  (prompt * ('${INPUT_RATES}'::bigint[])[1 + n % 20] + completion * ('${OUTPUT_RATES}'::bigint[])[1 + n % 20])
    * CASE WHEN prompt > ${TIER_ABOVE} THEN ${TIER_FACTOR} ELSE 1 END,
  'USD', ('${VERSIONS}'::int[])[1 + n % 20]
FROM (
  SELECT n, uuidv7(make_interval(secs => (n - $3::bigint) * 0.001)) AS id,
    (10 ^ (1.5 + random() * 2.5))::bigint AS prompt, (10 ^ (1 + random() * 2))::bigint AS completion
  FROM generate_series($1::bigint, $2::bigint) AS n
) AS numbers`;

/** Drops the indexes of charges and of the journal. Returns what makes them again. */
export async function dropIndexes(client: pg.Client): Promise<() => Promise<void>> {
  const { rows } = await client.query<Definition>(`
    SELECT tables.relname AS table, indexes.relname AS name, con.oid IS NOT NULL AS constraint,
           coalesce(pg_get_constraintdef(con.oid), pg_get_indexdef(indexes.oid)) AS definition
    FROM pg_index
    JOIN pg_class AS tables ON tables.oid = indrelid
    JOIN pg_class AS indexes ON indexes.oid = indexrelid
    LEFT JOIN pg_constraint AS con ON con.conindid = indexes.oid AND con.conrelid = tables.oid
    WHERE tables.relname IN ('charge', 'journal')
    ORDER BY indexes.relname`);
  for (const { table, name, constraint } of rows) {
    await client.query(constraint ? `ALTER TABLE ${table} DROP CONSTRAINT ${name}` : `DROP INDEX ${name}`);
  }
  return async () => {
    for (const { table, name, definition, constraint } of rows) {
      await client.query(
        constraint ? `ALTER TABLE ${table} ADD CONSTRAINT ${name} ${definition}` : definition,
      );
    }
  };
}
