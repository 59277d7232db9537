/** Reads price versions. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { mapRows } from '../../database/map-rows.ts';
import { PriceEntity } from '../entity.ts';
import type { Price } from '../price.ts';
import { priceOf } from './price-row.ts';

/** The versions after `afterVersion`, in the order of their numbers. */
export async function pricesAfter(em: EntityManager, tenant: string, afterVersion: number): Promise<Price[]> {
  const rows = await em.execute<object[]>(
    'SELECT * FROM price WHERE tenant = :tenant AND version > :afterVersion ORDER BY version',
    { tenant, afterVersion },
    { loggerContext: em.getLoggerContext() },
  );
  return mapRows(em, PriceEntity, rows).map(priceOf);
}

/** The versions that these requests made, by request id. */
export async function pricesByRequestId(
  em: EntityManager,
  tenant: string,
  requestIds: readonly string[],
): Promise<Map<string, Price>> {
  const rows = await em.execute<object[]>(
    'SELECT * FROM price WHERE tenant = :tenant AND request_id = ANY (:requestIds::text[])',
    { tenant, requestIds },
    { loggerContext: em.getLoggerContext() },
  );
  return new Map(mapRows(em, PriceEntity, rows).map((row) => [row.requestId, priceOf(row)]));
}
