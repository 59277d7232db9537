/** Reads tenants. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { mapRows } from '../../database/map-rows.ts';
import { TenantEntity } from '../entity.ts';
import type { Tenant } from '../tenant.ts';

/** Those of these tenants that exist, in any order. */
export async function readTenants(em: EntityManager, tenants: readonly string[]): Promise<Tenant[]> {
  const rows = await em.execute<object[]>(
    'SELECT * FROM tenant WHERE tenant = ANY (:tenants::text[])',
    { tenants },
    { loggerContext: em.getLoggerContext() },
  );
  return tenantsOf(em, rows);
}

/** The tenants that rows of the table hold. */
export function tenantsOf(em: EntityManager, rows: readonly object[]): Tenant[] {
  return mapRows(em, TenantEntity, rows).map((row) => ({
    ...row,
    suspendTimeMicros: row.suspendTimeMicros ?? undefined,
  }));
}
