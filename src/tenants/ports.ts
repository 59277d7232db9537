/** What the RPCs and other features need from the store of tenants. */

import type { Tenant, TenantSettings } from './tenant.ts';

/**
 * The tenants that this process works for, as they were at most 5 seconds ago. While PostgreSQL is away, they stay as
 * they were.
 */
export interface TenantDirectory {
  /**
   * The tenant, or undefined if there is none. A promise only if this process does not know the tenant yet, which
   * rejects with a `ServiceError`.
   */
  find(tenant: string): Tenant | Promise<Tenant | undefined>;
  /** What was set for the tenant; the defaults as long as this process does not know it. */
  settingsOf(tenant: string): TenantSettings;
  /** Whether calls with a credential of the tenant are refused; false as long as this process does not know it. */
  isSuspended(tenant: string): boolean;
}
