/** Loads charges by one of their unique keys. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { mapRows } from '../../database/map-rows.ts';
import { ChargeEntity, type ChargeRow } from '../entity.ts';
import { CURRENT_COLUMNS, CURRENT_JOINS, mapCurrentCharges } from './current-charges.ts';

/** The column of a unique key. */
type Key = 'id' | 'requestKey';

/** The charge of the tenant that has this key, a UUID text, as it is now; or undefined. */
export async function findByKey(
  em: EntityManager,
  tenant: string,
  key: Key,
  value: string,
): Promise<ChargeRow | undefined> {
  const [charge] = await findByKeys(em, tenant, key, [value]);
  return charge;
}

/** The charges of the tenant that have one of these keys, as they are now, in any order. */
export async function findByKeys(
  em: EntityManager,
  tenant: string,
  key: Key,
  values: readonly string[],
): Promise<ChargeRow[]> {
  const rows = await em.execute<object[]>(
    `SELECT ${CURRENT_COLUMNS} FROM ${wanted(key)} ${CURRENT_JOINS}`,
    { tenant, values },
    { loggerContext: em.getLoggerContext() },
  );
  return mapCurrentCharges(em, rows);
}

/** The charges of the tenant that have one of these ids, as they were recorded, in any order. */
export async function findRecorded(
  em: EntityManager,
  tenant: string,
  ids: readonly string[],
): Promise<ChargeRow[]> {
  const rows = await em.execute<object[]>(
    `SELECT charge.* FROM ${wanted('id')}`,
    { tenant, values: ids },
    { loggerContext: em.getLoggerContext() },
  );
  return mapRows(em, ChargeEntity, rows);
}

/**
 * Each key is looked up in the unique index. `(SELECT …)` hides the tenant from the planner: if it knows the tenant
 * and has counted none of its charges, because they are newer than the last ANALYZE, it takes any index that begins
 * with the tenant and reads all of them. With `IN`, it would compare many look-ups with one scan of a tenant of
 * average size, and tenants are not of average size. OFFSET 0 keeps it from turning the look-ups into a join, for
 * which it would do the same.
 */
function wanted(key: Key): string {
  return `unnest(:values::uuid[]) AS wanted (value)
     CROSS JOIN LATERAL (
       SELECT * FROM charge
       WHERE tenant = (SELECT :tenant::text) AND ${COLUMNS[key]} = wanted.value OFFSET 0
     ) AS charge`;
}

const COLUMNS: Readonly<Record<Key, string>> = { id: 'id', requestKey: 'request_key' };
