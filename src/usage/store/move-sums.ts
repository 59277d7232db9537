/** Moves kept sums from one user profile to another one, for the erasure of a person. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { countedChargesOf, type KeptSums, signedCharges } from '../../charges/index.ts';
import { ROLLUP_LEVEL } from '../plan.ts';
import { KEY_NAMES, SUM_NAMES } from './columns.ts';
import { ADD_TO_SUMS, ROLLUP_COLUMNS, rollupsOf } from './follow-journal.ts';

const { userDay } = ROLLUP_LEVEL;

/** The sums of days by user profile. */
export const keptSums: KeptSums = {
  async lock(em, tenant) {
    // Without a row, the first follower would add one, and follow. As there: not if sums have lost theirs.
    await run(
      em,
      `INSERT INTO usage_cursor (tenant, sequence) SELECT :tenant, 0
       WHERE NOT EXISTS (SELECT FROM usage_rollup WHERE tenant = :tenant) ON CONFLICT DO NOTHING`,
      { tenant },
    );
    await run(em, 'SELECT FROM usage_cursor WHERE tenant = :tenant FOR UPDATE', { tenant });
  },
  async has(em, tenant, userProfile) {
    const rows = await run(em, `SELECT FROM ${rowsOf(':userProfile')} LIMIT 1`, { tenant, userProfile });
    return rows.length > 0;
  },
  /**
   * As of the cursor: what the charges add now, without what later events do to them. Those are followed later, when the
   * charges name the other user profile. Nothing happens to the charges meanwhile: the tenant is locked.
   */
  async moveCharges(em, move, ids) {
    if (ids.length === 0) return;
    await run(em, moved(countedChargesOf(':ids::uuid[]'), 1), { ...move, ids });
    await run(em, moved(NEWER, -1), { ...move, ids });
  },
  async moveRest(em, move) {
    await run(em, MOVE_REST, { ...move });
    await run(em, DELETE_REST, { ...move });
  },
};

function run(em: EntityManager, sql: string, parameters: Record<string, unknown>): Promise<object[]> {
  return em.execute<object[]>(sql, { ...parameters }, { loggerContext: em.getLoggerContext() });
}

const NEWER = `SELECT * FROM (${signedCharges(
  '(SELECT sequence FROM usage_cursor WHERE tenant = :tenant)',
  '(SELECT last_sequence FROM journal_head WHERE tenant = :tenant)',
)}) AS charge WHERE id = ANY (:ids::uuid[])`;

/** Adds the sums of a relation of signed charges `times` to one side, and takes them out of the other one. */
const moved = (relation: string, times: 1 | -1): string => `
INSERT INTO usage_rollup (${ROLLUP_COLUMNS})
SELECT :tenant, level, start_time, side.user_profile, ${KEY_NAMES}, ${SUM_NAMES.map((name) => `side.factor * ${name}`).join(', ')}
FROM (${rollupsOf(relation)}) AS rollup
CROSS JOIN (VALUES (:from::text, ${-times}), (:to::text, ${times})) AS side (user_profile, factor)
WHERE level = ${userDay} ${ADD_TO_SUMS}`;

/** The key begins with the day. So the days are found one after the other, and the user profile is looked up in each. */
const rowsOf = (userProfile: string): string => `(
  WITH RECURSIVE day AS (
    SELECT min(start_time) AS start_time FROM usage_rollup WHERE tenant = :tenant AND level = ${userDay}
    UNION ALL
    SELECT (SELECT min(start_time) FROM usage_rollup
      WHERE tenant = :tenant AND level = ${userDay} AND start_time > day.start_time)
    FROM day WHERE day.start_time IS NOT NULL
  )
  SELECT found.* FROM day CROSS JOIN LATERAL (
    SELECT * FROM usage_rollup WHERE tenant = (SELECT :tenant::text) AND level = ${userDay}
      AND start_time = day.start_time AND user_profile = ${userProfile} OFFSET 0
  ) AS found
) AS kept`;

const MOVE_REST = `
INSERT INTO usage_rollup (${ROLLUP_COLUMNS})
SELECT tenant, level, start_time, :to::text, ${KEY_NAMES}, ${SUM_NAMES.join(', ')} FROM ${rowsOf(':from')}
WHERE ${SUM_NAMES.map((name) => `${name} <> 0`).join(' OR ')} ${ADD_TO_SUMS}`;

const DELETE_REST = `
DELETE FROM usage_rollup WHERE tenant = :tenant AND level = ${userDay} AND user_profile = :from
  AND start_time IN (SELECT start_time FROM ${rowsOf(':from')})`;
