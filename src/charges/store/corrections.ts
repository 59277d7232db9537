/** Reads corrections. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { mapRows } from '../../database/map-rows.ts';
import { CorrectionEntity, type CorrectionRow } from '../correction-entities.ts';
import { lookUp } from './look-up.ts';

/** The unique keys of a correction. */
const KEYS = {
  id: { column: 'id', type: 'uuid' },
  chargeId: { column: 'charge_id', type: 'uuid' },
  requestId: { column: 'request_id', type: 'text' },
} as const;

/** The corrections of the tenant that have one of these keys, in any order. */
export async function findCorrections(
  em: EntityManager,
  tenant: string,
  key: keyof typeof KEYS,
  values: readonly string[],
): Promise<CorrectionRow[]> {
  if (values.length === 0) return [];
  const { column, type } = KEYS[key];
  const rows = await em.execute<object[]>(
    `SELECT correction.* FROM ${lookUp('correction', column, type)}`,
    { tenant, values },
    { loggerContext: em.getLoggerContext() },
  );
  return mapRows(em, CorrectionEntity, rows);
}
