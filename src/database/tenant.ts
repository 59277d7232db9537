/**
 * The tenant that a session of PostgreSQL works for. Row-level security shows it the rows of that tenant, and lets it
 * write no others.
 *
 * - A call names its tenant for each transaction. The setting ends with the transaction, so the next user of the
 *   connection finds none.
 * - The service's own work over all tenants has connections of its own (`everyTenant` of `openDatabase`).
 * - Without either, a session sees no row.
 */

import { escapeLiteral } from 'pg';

/** The setting that the policies read. */
export const TENANT_SETTING = 'charge.tenant';
/** Its value for all tenants. No tenant has this name. */
export const EVERY_TENANT = '*';

/** SQL for a session that works for all tenants. */
export const SET_EVERY_TENANT = `SET ${TENANT_SETTING} = '${EVERY_TENANT}'`;

/** SQL that names the tenant of the transaction that is open. Throws if the name stands for none or for all. */
export function setTenant(tenant: string): string {
  return `SET LOCAL ${TENANT_SETTING} = ${escapeLiteral(checkedTenant(tenant))}`;
}

/** The same name. Throws if it stands for none or for all. */
export function checkedTenant(tenant: string): string {
  if (tenant === '' || tenant === EVERY_TENANT) throw new Error(`"${tenant}" is not a tenant`);
  return tenant;
}
