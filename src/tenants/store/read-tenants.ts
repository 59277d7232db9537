/** Reads tenants. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { mapRows } from '../../database/map-rows.ts';
import { ServiceError } from '../../errors/failure.ts';
import { TenantEntity } from '../entity.ts';
import { tenantNotFound } from '../errors.ts';
import type { Tenant } from '../tenant.ts';

/** Those of these tenants that exist, in any order. */
export function readTenants(em: EntityManager, tenants: readonly string[]): Promise<Tenant[]> {
  return read(em, 'SELECT * FROM tenant WHERE tenant = ANY (:tenants::text[])', { tenants });
}

/** The tenant. Rejects with `tenant_not_found`. Only for reads: the error would close the connection of a transaction. */
export async function existingTenant(em: EntityManager, tenant: string): Promise<Tenant> {
  const [found] = await readTenants(em, [tenant]);
  if (found === undefined) throw new ServiceError(tenantNotFound(tenant));
  return found;
}

/** The first tenants whose ids come after this one. */
export function readTenantsAfter(em: EntityManager, after: string, limit: number): Promise<Tenant[]> {
  return read(em, 'SELECT * FROM tenant WHERE tenant > :after ORDER BY tenant LIMIT :limit', {
    after,
    limit,
  });
}

/** The tenant, which nobody else changes until the transaction ends; undefined: there is none. */
export async function lockedTenant(em: EntityManager, tenant: string): Promise<Tenant | undefined> {
  const [found] = await read(em, 'SELECT * FROM tenant WHERE tenant = :tenant FOR UPDATE', { tenant });
  return found;
}

async function read(em: EntityManager, sql: string, parameters: Record<string, unknown>): Promise<Tenant[]> {
  const rows = await em.execute<object[]>(sql, parameters, { loggerContext: em.getLoggerContext() });
  return mapRows(em, TenantEntity, rows).map((row) => ({
    ...row,
    suspendTimeMicros: row.suspendTimeMicros ?? undefined,
  }));
}
