/** Charges of user profiles that are unknown or disabled. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { forTenant } from '../../database/driver.ts';

/** Why charges of a user profile are refused. */
export type UserProfileFault = 'unknown' | 'disabled';

/** What is known of the user profiles of some charges. */
export interface UserProfileCheck {
  /**
   * `journal_head.user_profile_version`, which grows whenever a user profile is disabled or removed. A write that
   * expects it fails instead of trusting what is no longer true.
   */
  readonly version: number;
  /** Of the user profiles that are not enabled. */
  readonly faults: ReadonlyMap<string, UserProfileFault>;
}

const NO_FAULTS: ReadonlyMap<string, UserProfileFault> = new Map();

/** Ids in memory, of all tenants together. */
const KNOWN_MAX = 50_000;

/** The enabled user profiles of a tenant that were met, and the version for which that is true. */
interface Known {
  readonly version: number;
  readonly enabled: Set<string>;
}

/**
 * Remembers enabled user profiles, so that a write need not look them up; on a database that it does not own. Others are
 * looked up each time.
 */
export class KnownUserProfiles {
  readonly #em: EntityManager;
  readonly #knownMax: number;
  readonly #tenants = new Map<string, Known>();
  #size = 0;

  constructor(em: EntityManager, knownMax = KNOWN_MAX) {
    this.#em = em;
    this.#knownMax = knownMax;
  }

  /** May be out of date; then its version is, too. */
  async check(tenant: string, ids: readonly string[]): Promise<UserProfileCheck> {
    const known = this.#tenants.get(tenant);
    if (known !== undefined && ids.every((id) => known.enabled.has(id))) {
      return { version: known.version, faults: NO_FAULTS };
    }
    const check = await checkUserProfiles(forTenant(this.#em, tenant), tenant, ids);
    this.#remember(tenant, check, ids);
    return check;
  }

  /** After a write that did not find the version that it expected. */
  forget(tenant: string): void {
    this.#size -= this.#tenants.get(tenant)?.enabled.size ?? 0;
    this.#tenants.delete(tenant);
  }

  #remember(tenant: string, { version, faults }: UserProfileCheck, ids: readonly string[]): void {
    let known = this.#tenants.get(tenant);
    if (known !== undefined && known.version > version) return;
    if (known?.version !== version) {
      this.forget(tenant);
      known = { version, enabled: new Set() };
      this.#tenants.set(tenant, known);
    }
    const { enabled } = known;
    this.#size -= enabled.size;
    for (const id of ids) if (!faults.has(id)) enabled.add(id);
    this.#size += enabled.size;
    if (this.#size <= this.#knownMax) return;
    this.#tenants.clear();
    this.#size = 0;
  }
}

/** Looks at user profiles, as the transaction of `em` sees them. */
export async function checkUserProfiles(
  em: EntityManager,
  tenant: string,
  ids: readonly string[],
): Promise<UserProfileCheck> {
  // One statement: the version and the user profiles are of one moment.
  const rows = await em.execute<{ version: number; id: string | null; is_enabled: boolean }[]>(
    `SELECT user_profile_version AS version, id, disable_time IS NULL AS is_enabled
     FROM journal_head LEFT JOIN user_profile
       ON user_profile.tenant = journal_head.tenant AND id = ANY (:ids::text[])
     WHERE journal_head.tenant = :tenant`,
    { tenant, ids: [...new Set(ids)] },
    { loggerContext: em.getLoggerContext() },
  );
  const found = new Map(rows.map(({ id, is_enabled }) => [id, is_enabled]));
  const faults = new Map<string, UserProfileFault>();
  for (const id of ids) {
    const isEnabled = found.get(id);
    if (isEnabled !== true) faults.set(id, isEnabled === undefined ? 'unknown' : 'disabled');
  }
  return { version: rows[0]?.version ?? 0, faults };
}

/**
 * Makes every write fail that has checked user profiles before and is not committed. The caller has disabled or removed
 * one, holds the lock of the tenant, and commits next: it locks the journal's head.
 */
export async function outdateChecks(em: EntityManager, tenant: string): Promise<void> {
  await em.execute(
    'UPDATE journal_head SET user_profile_version = user_profile_version + 1 WHERE tenant = ?',
    [tenant],
    { loggerContext: em.getLoggerContext() },
  );
}

/**
 * A common table expression that creates the user profiles that the rows of `inserted` name in `user_profile`, if they
 * are missing. Sorted: two statements that create them in different orders would deadlock.
 */
export const CREATE_MISSING_PROFILES = `
missing AS (
  INSERT INTO user_profile (tenant, id, create_time, update_time)
  SELECT DISTINCT $1::text, user_profile, now(), now() FROM inserted ORDER BY user_profile
  ON CONFLICT DO NOTHING RETURNING id
)`;

/**
 * A condition that is always true, and makes PostgreSQL create the missing user profiles before it locks what it is
 * about. The order of locks is the same everywhere: charges, user profiles, `journal_head`.
 */
export const AFTER_MISSING_PROFILES = '(SELECT count(*) FROM missing) >= 0';

/** Creates the user profile with nothing but its id, unless it is there. */
export async function createIfMissing(em: EntityManager, tenant: string, userProfile: string): Promise<void> {
  await em.execute(
    `INSERT INTO user_profile (tenant, id, create_time, update_time) VALUES (?, ?, now(), now())
     ON CONFLICT DO NOTHING`,
    [tenant, userProfile],
    { loggerContext: em.getLoggerContext() },
  );
}
