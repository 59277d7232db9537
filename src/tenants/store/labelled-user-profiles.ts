/** Which user profiles carry labels. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { jsonOfMap } from '../../database/types/json-map.ts';

/** Those of the user profiles with these ids that carry all of these labels. */
export async function labelledUserProfiles(
  em: EntityManager,
  tenant: string,
  ids: ReadonlySet<string>,
  labels: ReadonlyMap<string, string>,
): Promise<ReadonlySet<string>> {
  const rows = await em.execute<{ id: string }[]>(
    `SELECT id FROM user_profile
     WHERE tenant = :tenant AND id = ANY (:ids::text[]) AND labels @> :labels::jsonb`,
    { tenant, ids: [...ids], labels: jsonOfMap(labels) },
    { loggerContext: em.getLoggerContext() },
  );
  return new Set(rows.map(({ id }) => id));
}
