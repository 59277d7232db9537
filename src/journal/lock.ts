/** Makes what changes the prices or the past of a tenant happen one after the other. */

import type { ClientBase } from 'pg';

/** Waits for the lock of the tenant and keeps it until the transaction of the connection ends. */
export async function lockTenant(client: ClientBase, tenant: string): Promise<void> {
  const { rowCount } = await client.query({
    name: 'lock_tenant',
    text: 'SELECT FROM tenant_lock WHERE tenant = $1 FOR UPDATE',
    values: [tenant],
  });
  if (rowCount === 0) throw new Error(`the tenant ${tenant} has no row in tenant_lock`);
}
