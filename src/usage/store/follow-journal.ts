/** Brings the kept sums of a tenant up to date with its journal. */

import type { Transaction } from '../../database/transaction.ts';
import { signedCharges } from '../../charges/index.ts';
import { ROLLUP_LEVEL } from '../plan.ts';
import { KEY_NAMES, KEYS, ORIGIN, SUM_NAMES, sumsOfCharges } from './columns.ts';

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
 * PostgreSQL expects few events, and would sort them for each level instead of hashing them once.
 */
export async function followJournal(
  { em, client }: Transaction,
  tenant: string,
  eventsMax: number,
): Promise<FollowedStep | undefined> {
  await client.query(
    `SET LOCAL synchronous_commit = off; SET LOCAL work_mem = '64MB'; SET LOCAL enable_sort = off`,
  );
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

/** SQL of the sums at every level over a relation of signed charges: the columns of `usage_rollup` from `level` on. */
export function rollupsOf(relation: string): string {
  const { quarterHour, day, userDay } = ROLLUP_LEVEL;
  const keys = KEYS.map(({ name }) => `key.${name}`).join(', ');
  return `
SELECT CASE WHEN grouping(key.user_profile) = 0 THEN ${userDay} WHEN grouping(key.day) = 0 THEN ${day}
    ELSE ${quarterHour} END AS level,
  coalesce(key.quarter_hour, key.day) AS start_time, coalesce(key.user_profile, '') AS user_profile,
  ${keys}, ${sumsOfCharges('charge.sign')}
FROM (${relation}) AS charge CROSS JOIN LATERAL (
  SELECT date_bin('15 minutes', charge.usage_time, ${ORIGIN}) AS quarter_hour,
    date_bin('1 day', charge.usage_time, ${ORIGIN}) AS day, charge.user_profile,
    ${KEYS.map(({ name, ofCharge }) => `${ofCharge} AS ${name}`).join(', ')}
) AS key
GROUP BY GROUPING SETS ((key.quarter_hour, ${keys}), (key.day, ${keys}), (key.day, key.user_profile, ${keys}))`;
}

export const ROLLUP_COLUMNS = `tenant, level, start_time, user_profile, ${KEY_NAMES}, ${SUM_NAMES.join(', ')}`;

/** NULL is 0 in both. */
const added = (name: string): string =>
  `${name} = coalesce(usage_rollup.${name} + excluded.${name}, usage_rollup.${name}, excluded.${name})`;

/** The end of an INSERT of {@link ROLLUP_COLUMNS}: adds to the sums that are there. */
export const ADD_TO_SUMS = `
ON CONFLICT (tenant, level, start_time, user_profile, ${KEY_NAMES}) DO UPDATE SET
  ${SUM_NAMES.map(added).join(', ')}`;

const ADD_EVENTS = `
INSERT INTO usage_rollup (${ROLLUP_COLUMNS})
SELECT :tenant, rollup.* FROM (${rollupsOf(signedCharges(':cursor::bigint', ':end::bigint'))}) AS rollup ${ADD_TO_SUMS}`;
