/** Administers tenants. */

import type { ReadConnections } from '../../database/read-connections.ts';
import type { Failure } from '../../errors/failure.ts';
import { createJournal } from '../../journal/index.ts';
import type { Actor } from '../audit.ts';
import { TenantEntity } from '../entity.ts';
import { tenantAlreadyExists, tenantNotFound } from '../errors.ts';
import type { TenantStore } from '../ports.ts';
import { DEFAULT_SETTINGS, differences, type Tenant, type TenantChange } from '../tenant.ts';
import { type Acting, type Administration, nowMicros } from './administration.ts';
import { existingTenant, lockedTenant, readTenantsAfter } from './read-tenants.ts';

/** `reads`: on a database whose sessions see every tenant. `changed` is told after each change, and waited for. */
export function createTenantStore(
  administration: Administration,
  reads: ReadConnections,
  changed: () => Promise<void>,
): TenantStore {
  const change = async (
    method: string,
    tenant: string,
    actor: Actor,
    work: (acting: Acting) => Promise<Tenant | Failure>,
  ): Promise<Tenant> => {
    const result = await administration.run(method, tenant, actor, work);
    await changed();
    return result;
  };
  return {
    create: (tenant, content, actor) =>
      change('CreateTenant', tenant, actor, (acting) => create(acting, tenant, content)),
    get: (tenant) => reads.use(tenant, (em) => existingTenant(em, tenant)),
    list: (after, limit) => reads.useEveryTenant((em) => readTenantsAfter(em, after, limit)),
    update: (tenant, content, actor) =>
      change('UpdateTenant', tenant, actor, (acting) => update(acting, tenant, content)),
    suspend: (tenant, actor) =>
      change('SuspendTenant', tenant, actor, (acting) => setSuspended(acting, tenant, true)),
    resume: (tenant, actor) =>
      change('ResumeTenant', tenant, actor, (acting) => setSuspended(acting, tenant, false)),
  };
}

/** The relay and the sums of usage make their cursors themselves. */
async function create(
  { em, audit }: Acting,
  tenant: string,
  content: TenantChange,
): Promise<Tenant | Failure> {
  const unset = { tenant, displayName: '', createTimeMicros: nowMicros(), suspendTimeMicros: undefined };
  const nothing: Tenant = { ...unset, ...DEFAULT_SETTINGS };
  const created: Tenant = { ...nothing, ...content };
  const insertion = em.createQueryBuilder(TenantEntity).insert(created);
  const result: { readonly affectedRows: number } = await insertion
    .onConflict('tenant')
    .ignore()
    .execute('run');
  if (result.affectedRows === 0) return tenantAlreadyExists(tenant);
  await createJournal(em, tenant);
  await audit({ details: differences(nothing, content) });
  return created;
}

async function update(
  { em, audit }: Acting,
  tenant: string,
  change: TenantChange,
): Promise<Tenant | Failure> {
  const before = await lockedTenant(em, tenant);
  if (before === undefined) return tenantNotFound(tenant);
  const details = differences(before, change);
  if (details.size === 0) return before;
  await em.nativeUpdate(TenantEntity, { tenant }, change);
  await audit({ details });
  return { ...before, ...change };
}

async function setSuspended(
  { em, audit }: Acting,
  tenant: string,
  suspended: boolean,
): Promise<Tenant | Failure> {
  const before = await lockedTenant(em, tenant);
  if (before === undefined) return tenantNotFound(tenant);
  if ((before.suspendTimeMicros !== undefined) === suspended) return before;
  const suspendTimeMicros = suspended ? nowMicros() : undefined;
  await em.nativeUpdate(TenantEntity, { tenant }, { suspendTimeMicros: suspendTimeMicros ?? null });
  await audit({});
  return { ...before, suspendTimeMicros };
}
