/** Loads charges by one of their unique keys. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { mapRows } from '../../database/map-rows.ts';
import { ServiceError } from '../../errors/failure.ts';
import type { ChargeKey } from '../charge.ts';
import { ChargeEntity, type ChargeRow } from '../entity.ts';
import { chargeArchived } from '../errors.ts';
import { findArchivedCharge } from './archived-charges.ts';
import { CURRENT_COLUMNS, CURRENT_JOINS, mapCurrentCharges } from './current-charges.ts';
import { lookUp } from './look-up.ts';
import { requestKey } from './request-key.ts';

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

/** The charge of the tenant that a caller names, as it is now; or undefined. Rejects with `charge_archived`. */
export async function readCharge(
  em: EntityManager,
  tenant: string,
  key: ChargeKey,
): Promise<ChargeRow | undefined> {
  const charge = await findCharge(em, tenant, key);
  if (charge !== undefined) return charge;
  const archived = await findArchivedCharge(em, tenant, key);
  if (archived !== undefined) throw new ServiceError(chargeArchived(archived.id, 'read'));
  return undefined;
}

/** The charge of the tenant that a caller names, as it is now; or undefined. */
export function findCharge(
  em: EntityManager,
  tenant: string,
  key: ChargeKey,
): Promise<ChargeRow | undefined> {
  return 'id' in key
    ? findByKey(em, tenant, 'id', key.id)
    : findByKey(em, tenant, 'requestKey', requestKey(key.requestId));
}

/** The charges of the tenant that have one of these keys, as they are now, in any order. */
export async function findByKeys(
  em: EntityManager,
  tenant: string,
  key: Key,
  values: readonly string[],
): Promise<ChargeRow[]> {
  if (values.length === 0) return [];
  const rows = await em.execute<object[]>(
    `SELECT ${CURRENT_COLUMNS} FROM ${lookUp('charge', COLUMNS[key], 'uuid')} ${CURRENT_JOINS}`,
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
  if (ids.length === 0) return [];
  const rows = await em.execute<object[]>(
    `SELECT charge.* FROM ${lookUp('charge', 'id', 'uuid')}`,
    { tenant, values: ids },
    { loggerContext: em.getLoggerContext() },
  );
  return mapRows(em, ChargeEntity, rows);
}

const COLUMNS: Readonly<Record<Key, string>> = { id: 'id', requestKey: 'request_key' };
