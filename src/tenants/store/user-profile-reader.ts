/** Reads user profiles. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { mapRows } from '../../database/map-rows.ts';
import type { ReadConnections } from '../../database/read-connections.ts';
import { jsonOfMap } from '../../database/types/json-map.ts';
import { UserProfileEntity } from '../entity.ts';
import type { UserProfilePage, UserProfileQuery, UserProfileReader } from '../ports.ts';
import type { UserProfile } from '../user-profile.ts';

/** User profiles that one page compares with its labels at most. */
const SCAN_ROWS_MAX = 20_000;

/** The read side on connections that it does not own. */
export function createUserProfileReader(
  reads: ReadConnections,
  scanRowsMax = SCAN_ROWS_MAX,
): UserProfileReader {
  return {
    find: (tenant, id) => reads.use(tenant, (em) => findUserProfile(em, tenant, id)),
    list: (tenant, query) => reads.use(tenant, (em) => readPage(em, tenant, query, scanRowsMax)),
  };
}

/** The user profile, or undefined. `lock`: keeps others from changing it before the end of the transaction. */
export async function findUserProfile(
  em: EntityManager,
  tenant: string,
  id: string,
  { lock = false } = {},
): Promise<UserProfile | undefined> {
  const rows = await em.execute<object[]>(
    `SELECT * FROM user_profile WHERE tenant = :tenant AND id = :id ${lock ? 'FOR NO KEY UPDATE' : ''}`,
    { tenant, id },
    { loggerContext: em.getLoggerContext() },
  );
  return userProfilesOf(em, rows)[0];
}

/** The user profiles that rows of the table hold. */
export function userProfilesOf(em: EntityManager, rows: readonly object[]): UserProfile[] {
  return mapRows(em, UserProfileEntity, rows).map((row) => ({
    id: row.id,
    displayName: row.displayName,
    email: row.email,
    labels: row.labels,
    externalIds: row.externalIds,
    createTimeMicros: row.createTimeMicros,
    updateTimeMicros: row.updateTimeMicros,
    disableTimeMicros: row.disableTimeMicros ?? undefined,
  }));
}

async function readPage(
  em: EntityManager,
  tenant: string,
  { labels, after, limit }: UserProfileQuery,
  scanRowsMax: number,
): Promise<UserProfilePage> {
  const parameters = { tenant, after, limit: limit + 1, labels: jsonOfMap(labels) };
  const options = { loggerContext: em.getLoggerContext() };
  const range = `tenant = :tenant ${after === undefined ? '' : 'AND id > :after'}`;
  // Where the scan ends; undefined: with the last user profile.
  const [end] =
    labels.size === 0
      ? []
      : await em.execute<{ id: string }[]>(
          `SELECT id FROM user_profile WHERE ${range} ORDER BY id OFFSET :scanned LIMIT 1`,
          { ...parameters, scanned: scanRowsMax - 1 },
          options,
        );
  const rows = await em.execute<object[]>(
    `SELECT * FROM user_profile WHERE ${range} ${end === undefined ? '' : 'AND id <= :end'}
       ${labels.size === 0 ? '' : 'AND labels @> :labels::jsonb'}
     ORDER BY id LIMIT :limit`,
    { ...parameters, end: end?.id },
    options,
  );
  const userProfiles = userProfilesOf(em, rows.slice(0, limit));
  return { userProfiles, next: rows.length > limit ? userProfiles.at(-1)?.id : end?.id };
}
