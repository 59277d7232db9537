/** Reads the costs that charges got after they were recorded. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { mapRows } from '../../database/map-rows.ts';
import { CostRevisionEntity, type CostRevisionRow } from '../correction-entities.ts';
import { lookUp } from './look-up.ts';

/** A later cost of a charge, and the run that made it. */
export interface CostRevision extends CostRevisionRow {
  /** The caller's name of the run. */
  readonly runId: string;
  readonly reason: string;
}

/** The revisions of the tenant that have one of these ids, and the one before each of them, in any order. */
export async function findRevisions(
  em: EntityManager,
  tenant: string,
  ids: readonly string[],
): Promise<CostRevision[]> {
  if (ids.length === 0) return [];
  const rows = await em.execute<RunColumns[]>(
    `SELECT one.*, run.run_id, run.reason FROM ${lookUp('cost_revision', 'id', 'uuid')}
     CROSS JOIN LATERAL (
       SELECT * FROM cost_revision AS r
       WHERE r.tenant = cost_revision.tenant AND r.charge_id = cost_revision.charge_id
         AND r.revision BETWEEN cost_revision.revision - 1 AND cost_revision.revision
     ) AS one
     JOIN reprice_run AS run ON run.tenant = one.tenant AND run.run = one.run`,
    { tenant, values: ids },
    { loggerContext: em.getLoggerContext() },
  );
  return mapRevisions(em, rows);
}

/** The last `limit` revisions of a charge, the latest first. */
export async function revisionsOfCharge(
  em: EntityManager,
  tenant: string,
  chargeId: string,
  limit: number,
): Promise<CostRevision[]> {
  const rows = await em.execute<RunColumns[]>(
    `SELECT one.*, run.run_id, run.reason FROM cost_revision AS one
     JOIN reprice_run AS run ON run.tenant = one.tenant AND run.run = one.run
     WHERE one.tenant = :tenant AND one.charge_id = :chargeId::uuid
     ORDER BY one.revision DESC LIMIT :limit`,
    { tenant, chargeId, limit },
    { loggerContext: em.getLoggerContext() },
  );
  return mapRevisions(em, rows);
}

/** The columns that are not of `cost_revision`. */
interface RunColumns {
  readonly run_id: string;
  readonly reason: string;
}

function mapRevisions(em: EntityManager, rows: readonly RunColumns[]): CostRevision[] {
  return mapRows(em, CostRevisionEntity, rows).map((revision, index) => ({
    ...revision,
    runId: rows[index]?.run_id ?? '',
    reason: rows[index]?.reason ?? '',
  }));
}
