/**
 * What the statements that write charges do about user profiles that are unknown or disabled, by the setting of the
 * tenant. They look in the snapshot in which they write, so every process sees a user profile that was disabled before.
 */

import type { EntityManager } from '@mikro-orm/postgresql';

/** Why charges of a user profile are refused. */
export type UserProfileFault = 'unknown' | 'disabled';

/**
 * A common table expression `profile`: the user profiles of the tenant `$1` among these ids, which are SQL of an array,
 * and whether each `is_enabled`.
 */
export function profilesOf(ids: string): string {
  return `
profile AS MATERIALIZED (
  SELECT id, disable_time IS NULL AS is_enabled FROM user_profile WHERE tenant = $1::text AND id = ANY (${ids})
)`;
}

/**
 * The condition that a column names a user profile of {@link profilesOf} that is enabled. IS TRUE keeps PostgreSQL from
 * making it a join, which would lose the order of the rows: it hashes the ids once.
 */
export function isEnabled(column: string): string {
  return `(${column} IN (SELECT id FROM profile WHERE is_enabled)) IS TRUE`;
}

/**
 * A common table expression that creates the user profiles that the rows of `inserted` name in `user_profile`, if they
 * are missing. PostgreSQL runs it after everything that the statement reads from, so also after the row of
 * `journal_head` is locked: two statements of a tenant never wait for each other's user profiles.
 */
export const CREATE_MISSING_PROFILES = `
missing AS (
  INSERT INTO user_profile (tenant, id, create_time, update_time)
  SELECT DISTINCT $1::text, user_profile, now(), now() FROM inserted ON CONFLICT DO NOTHING
)`;

/** Why a charge of this user profile is refused, in the transaction of `em`; undefined: it is not. */
export async function findFault(
  em: EntityManager,
  tenant: string,
  userProfile: string,
): Promise<UserProfileFault | undefined> {
  const [row] = await em.execute<{ is_enabled: boolean }[]>(
    'SELECT disable_time IS NULL AS is_enabled FROM user_profile WHERE tenant = ? AND id = ?',
    [tenant, userProfile],
    { loggerContext: em.getLoggerContext() },
  );
  if (row === undefined) return 'unknown';
  return row.is_enabled ? undefined : 'disabled';
}

/** Creates the user profile with nothing but its id, unless it is there. */
export async function createIfMissing(em: EntityManager, tenant: string, userProfile: string): Promise<void> {
  await em.execute(
    `INSERT INTO user_profile (tenant, id, create_time, update_time) VALUES (?, ?, now(), now())
     ON CONFLICT DO NOTHING`,
    [tenant, userProfile],
    { loggerContext: em.getLoggerContext() },
  );
}
