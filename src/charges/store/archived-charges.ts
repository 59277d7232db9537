/** Reads what stays of archived charges. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { mapRows } from '../../database/map-rows.ts';
import { ArchivedChargeEntity, type ArchivedChargeRow } from '../archive-entities.ts';
import type { ChargeKey } from '../charge.ts';
import { lookUp } from './look-up.ts';
import { requestKey } from './request-key.ts';

const COLUMNS = { id: 'id', requestKey: 'request_key' } as const;

/** The archived charges of the tenant that have one of these keys, in any order. */
export async function findArchived(
  em: EntityManager,
  tenant: string,
  key: keyof typeof COLUMNS,
  values: readonly string[],
): Promise<ArchivedChargeRow[]> {
  if (values.length === 0) return [];
  const rows = await em.execute<object[]>(
    `SELECT archived_charge.* FROM ${lookUp('archived_charge', COLUMNS[key], 'uuid')}`,
    { tenant, values },
    { loggerContext: em.getLoggerContext() },
  );
  return mapRows(em, ArchivedChargeEntity, rows);
}

/** The archived charge that a caller names, or undefined. */
export async function findArchivedCharge(
  em: EntityManager,
  tenant: string,
  key: ChargeKey,
): Promise<ArchivedChargeRow | undefined> {
  const [archived] = await ('id' in key
    ? findArchived(em, tenant, 'id', [key.id])
    : findArchived(em, tenant, 'requestKey', [requestKey(key.requestId)]));
  return archived;
}

/** The last number of the tenant's journal that can no longer be read; 0: all can. */
export async function archivedSequence(em: EntityManager, tenant: string): Promise<bigint> {
  const [row] = await em.execute<{ sequence: string }[]>(
    'SELECT sequence FROM archive WHERE tenant = :tenant',
    { tenant },
    { loggerContext: em.getLoggerContext() },
  );
  return BigInt(row?.sequence ?? 0);
}
