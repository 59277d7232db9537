/** Brings the kept sums of a tenant up to date with its journal. */

import type { Transaction } from '../../database/transaction.ts';
import { signedCharges } from '../../charges/index.ts';
import { ROLLUP_LEVEL } from '../plan.ts';
import { CURRENCY_COLUMNS, ORIGIN, ROLLUP_DIMENSIONS, SUMS } from './columns.ts';

/** What a step did. */
export interface FollowedStep {
  /** Events that are in the sums now and were not before. */
  readonly events: number;
  /** Whether the journal has more. */
  readonly more: boolean;
}

/**
 * Adds the next events of the tenant's journal to the sums and moves the cursor with them, at most `eventsMax`. Does
 * nothing while another transaction has the cursor: then that one follows. Undefined in that case.
 *
 * The commit does not wait for the disk: after a crash of PostgreSQL, sums and cursor are both as they were before.
 */
export async function followJournal(
  { em, client }: Transaction,
  tenant: string,
  eventsMax: number,
): Promise<FollowedStep | undefined> {
  await client.query(`SET LOCAL synchronous_commit = off; SET LOCAL work_mem = '64MB'`);
  const [row] = await em.execute<{ cursor: string; head: string }[]>(
    `SELECT usage_cursor.sequence AS cursor, journal_head.last_sequence AS head
     FROM usage_cursor JOIN journal_head USING (tenant) WHERE tenant = :tenant FOR UPDATE OF usage_cursor SKIP LOCKED`,
    { tenant },
    { loggerContext: em.getLoggerContext() },
  );
  if (row === undefined) return undefined;
  const cursor = BigInt(row.cursor);
  const head = BigInt(row.head);
  const end = head < cursor + BigInt(eventsMax) ? head : cursor + BigInt(eventsMax);
  if (end <= cursor) return { events: 0, more: false };
  const values = { tenant, cursor, end };
  await em.execute(ADD_EVENTS, values, { loggerContext: em.getLoggerContext() });
  await em.execute('UPDATE usage_cursor SET sequence = :end WHERE tenant = :tenant', values, {
    loggerContext: em.getLoggerContext(),
  });
  return { events: Number(end - cursor), more: end < head };
}

const KEYS = [...ROLLUP_DIMENSIONS, ...CURRENCY_COLUMNS];
const KEY_NAMES = KEYS.map(({ name }) => name).join(', ');
const SUM_NAMES = SUMS.map(({ name }) => name).join(', ');
const sumsOf = (sql: (sum: (typeof SUMS)[number]) => string): string =>
  SUMS.map((sum) => `coalesce(sum(${sql(sum)}), 0)::numeric AS ${sum.name}`).join(', ');

/**
 * SQL of the sums at every level over a relation of signed charges: the columns of `usage_rollup` from `level` on. At
 * many charges a second, users and models repeat within a quarter of an hour, so the first sums leave few rows for the
 * others.
 */
export function rollupsOf(relation: string): string {
  const first = KEYS.map(({ name, ofCharge }) => `${ofCharge} AS ${name}`).join(', ');
  return `
WITH user_quarter AS MATERIALIZED (
  SELECT date_bin('15 minutes', usage_time, ${ORIGIN}) AS start_time, user_profile, ${first},
    ${sumsOf(({ ofCharge }) => ofCharge)}
  FROM (${relation}) AS charge GROUP BY ${placesTo(KEYS.length + 2)}
), quarter AS MATERIALIZED (
  SELECT start_time, ${KEY_NAMES}, ${sumsOf(({ name }) => name)} FROM user_quarter GROUP BY start_time, ${KEY_NAMES}
)
SELECT ${ROLLUP_LEVEL.quarterHour} AS level, start_time, '' AS user_profile, ${KEY_NAMES}, ${SUM_NAMES} FROM quarter
UNION ALL
SELECT ${ROLLUP_LEVEL.day}, ${DAY}, '', ${KEY_NAMES}, ${sumsOf(({ name }) => name)}
FROM quarter GROUP BY ${DAY}, ${KEY_NAMES}
UNION ALL
SELECT ${ROLLUP_LEVEL.userDay}, ${DAY}, user_profile, ${KEY_NAMES}, ${sumsOf(({ name }) => name)}
FROM user_quarter GROUP BY ${DAY}, user_profile, ${KEY_NAMES}`;
}

const DAY = `date_bin('1 day', start_time, ${ORIGIN})`;
const placesTo = (last: number): string => Array.from({ length: last }, (_, index) => index + 1).join(', ');

export const ROLLUP_COLUMNS = `tenant, level, start_time, user_profile, ${KEY_NAMES}, ${SUM_NAMES}`;

const ADD_EVENTS = `
INSERT INTO usage_rollup (${ROLLUP_COLUMNS})
SELECT :tenant, rollup.* FROM (${rollupsOf(signedCharges(':cursor::bigint', ':end::bigint'))}) AS rollup
ON CONFLICT (tenant, level, start_time, user_profile, ${KEY_NAMES}) DO UPDATE SET
  ${SUMS.map(({ name }) => `${name} = usage_rollup.${name} + excluded.${name}`).join(', ')}`;
