/** What API keys are checked against. Over connections that see all tenants. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { mapRows } from '../../database/map-rows.ts';
import { ApiKeyEntity, type ApiKeyRow } from '../entity.ts';

/** The API keys that have one of these ids, by id. */
export async function readApiKeys(
  em: EntityManager,
  ids: readonly string[],
): Promise<Map<string, ApiKeyRow>> {
  const rows = await em.execute<object[]>('SELECT * FROM api_key WHERE id = ANY(:ids::text[])', { ids });
  return new Map(mapRows(em, ApiKeyEntity, rows).map((key) => [key.id, key]));
}

/** How coarse `last_use_time` is. */
export const LAST_USE_GRAIN_MS = 60 * 60_000;

/** Notes that these keys were used. What another process is noting just now is skipped. */
export async function noteUse(em: EntityManager, ids: readonly string[]): Promise<void> {
  await em.execute(
    `UPDATE api_key SET last_use_time = clock_timestamp() WHERE id IN (
       SELECT id FROM api_key
       WHERE id = ANY(:ids::text[])
         AND (last_use_time IS NULL OR last_use_time < clock_timestamp() - :grainMs * interval '1 ms')
       FOR UPDATE SKIP LOCKED)`,
    { ids, grainMs: LAST_USE_GRAIN_MS },
  );
}
