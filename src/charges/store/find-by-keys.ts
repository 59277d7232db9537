/** Loads charges by one of their unique keys. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { mapRows } from '../../database/map-rows.ts';
import { ChargeEntity, type ChargeRow } from '../entity.ts';

/** The column of a unique key. */
type Key = 'id' | 'requestKey';

/**
 * The charge of the tenant that has this key, a UUID text, or undefined. `(SELECT …)` hides the tenant from
 * the planner, so that it takes the unique index. If it knows the tenant and has counted none of its
 * charges, because they are newer than the last ANALYZE, it takes any index that begins with the tenant
 * and reads all of them.
 */
export async function findByKey(
  em: EntityManager,
  tenant: string,
  key: Key,
  value: string,
): Promise<ChargeRow | undefined> {
  const builder = em
    .createQueryBuilder(ChargeEntity)
    .select('*')
    .where({ [key]: value });
  builder.andWhere('tenant = (SELECT ?::text)', [tenant]).limit(1);
  const rows = await builder.execute<object[]>('all', false);
  return mapRows(em, ChargeEntity, rows)[0];
}

/**
 * The charges of the tenant that have one of these keys, in any order. Each is looked up in the unique
 * index, with the tenant hidden as above. With `$in` instead, the planner would compare many look-ups with
 * one scan of a tenant of average size, and tenants are not of average size. OFFSET 0 keeps it from turning
 * the look-ups into a join, for which it would do the same.
 */
export async function findByKeys(
  em: EntityManager,
  tenant: string,
  key: Key,
  values: readonly string[],
): Promise<ChargeRow[]> {
  const rows = await em.execute<object[]>(
    `SELECT charge.* FROM unnest(:values::uuid[]) AS wanted (value)
     CROSS JOIN LATERAL (
       SELECT * FROM charge
       WHERE tenant = (SELECT :tenant::text) AND ${COLUMNS[key]} = wanted.value OFFSET 0
     ) AS charge`,
    { tenant, values },
    { loggerContext: em.getLoggerContext() },
  );
  return mapRows(em, ChargeEntity, rows);
}

const COLUMNS: Readonly<Record<Key, string>> = { id: 'id', requestKey: 'request_key' };
