/** What the RPCs and other features need from the store of tenants. */

import type { Actor } from './audit.ts';
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

/** What a call of {@link Eraser.erase} did. */
export interface ErasedUserProfile {
  /** What charges say instead of the id from now on. */
  readonly pseudonym: string;
  /** Charges that this call has changed. */
  readonly charges: number;
  /** Whether nothing is left. */
  readonly done: boolean;
}

/** Erases people, and keeps the sums of their charges. */
export interface Eraser {
  /**
   * Deletes the user profile and erases up to 10,000 of its charges, with an entry in the audit log. Calling it again
   * goes on. Rejects with a `ServiceError`: `user_profile_not_found` if there is neither a user profile nor a charge,
   * `database_unavailable`.
   */
  erase(tenant: string, userProfile: string, actor: Actor): Promise<ErasedUserProfile>;
}
