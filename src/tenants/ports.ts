/** What the RPCs and other features need from the store of tenants. */

import type { Principal } from '../grpc/principal.ts';
import type { ApiKey, NewApiKey } from './api-key.ts';
import type { Actor, AuditEntry } from './audit.ts';
import type { Tenant, TenantChange, TenantSettings } from './tenant.ts';
import type { UserProfile, UserProfileContent } from './user-profile.ts';

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
  /** What is set for the tenant, also if this process has to ask for it first: then it rejects as {@link find} does. */
  unknownUserProfilesOf(tenant: string): number | Promise<number>;
}

/** Which page of which user profiles. */
export interface UserProfileQuery {
  /** Those that carry all of these labels. */
  readonly labels: ReadonlyMap<string, string>;
  /** Start after this id; undefined: at the first one. */
  readonly after: string | undefined;
  /** How many to return at most. */
  readonly limit: number;
}

/** Some user profiles, by id. */
export interface UserProfilePage {
  /** At most `limit`, and possibly fewer or none, even if others follow. */
  readonly userProfiles: readonly UserProfile[];
  /** Go on after this id; undefined: nothing follows. */
  readonly next: string | undefined;
}

/** Reads user profiles. Rejects with a `ServiceError`. */
export interface UserProfileReader {
  /** The user profile, or undefined. */
  find(tenant: string, id: string): Promise<UserProfile | undefined>;
  /** The next user profiles. */
  list(tenant: string, query: UserProfileQuery): Promise<UserProfilePage>;
}

/**
 * Changes user profiles of the tenant of the actor. Each change has an entry in the audit log; what changes nothing has
 * none. Rejects with a `ServiceError`: `user_profile_not_found`, `database_unavailable`.
 */
export interface UserProfileWriter {
  /** Rejects with `user_profile_already_exists`, too. */
  create(actor: Actor, id: string, content: UserProfileContent): Promise<UserProfile>;
  /** Sets the members that `changes` has. */
  update(actor: Actor, id: string, changes: Partial<UserProfileContent>): Promise<UserProfile>;
  disable(actor: Actor, id: string): Promise<UserProfile>;
  enable(actor: Actor, id: string): Promise<UserProfile>;
}

/**
 * Administers tenants. What changes one has an entry in the audit log. Rejects with a `ServiceError`: `tenant_not_found`,
 * `database_unavailable`, and what a method names.
 */
export interface TenantStore {
  /** Adds a tenant with all that it needs for its first charge. Rejects with `tenant_already_exists`. */
  create(tenant: string, content: TenantChange, actor: Actor): Promise<Tenant>;
  get(tenant: string): Promise<Tenant>;
  /** The first tenants whose ids come after this one. */
  list(after: string, limit: number): Promise<Tenant[]>;
  update(tenant: string, change: TenantChange, actor: Actor): Promise<Tenant>;
  suspend(tenant: string, actor: Actor): Promise<Tenant>;
  resume(tenant: string, actor: Actor): Promise<Tenant>;
}

/** Who administers keys: it can give only what it has. */
export type KeyAdministrator = Actor & { readonly principal: Pick<Principal, 'scopes'> };

/** A key, and what to send as credential, which nobody can find out later. */
export interface ApiKeyWithSecret {
  readonly apiKey: ApiKey;
  /** `chg_<id>_<secret>`. */
  readonly key: string;
}

/** Where a list of keys goes on: before this key. */
export type ApiKeyPlace = Pick<ApiKey, 'createTimeMicros' | 'id'>;

/** What becomes of a key that is rotated, and of its successor. */
export interface Rotation {
  readonly overlapMicros: bigint;
  /** Of the new key. */
  readonly expireTimeMicros: bigint | undefined;
}

/**
 * Administers API keys, as {@link TenantStore} administers tenants. Rejects with `permission_denied` if the caller lacks
 * a scope of the new key, and with `api_key_not_found`.
 */
export interface ApiKeyStore {
  create(tenant: string, content: NewApiKey, actor: KeyAdministrator): Promise<ApiKeyWithSecret>;
  /** The newest keys before a place, or the newest of all. */
  list(tenant: string, before: ApiKeyPlace | undefined, limit: number): Promise<ApiKey[]>;
  rotate(
    tenant: string,
    id: string,
    rotation: Rotation,
    actor: KeyAdministrator,
  ): Promise<ApiKeyWithSecret & { readonly previous: ApiKey }>;
  revoke(tenant: string, id: string, actor: Actor): Promise<ApiKey>;
}

/** Reads the audit log. Rejects with a `ServiceError`. */
export interface AuditLogReader {
  /** The newest entries before the one with this id, or the newest of all. */
  list(tenant: string, beforeId: string | undefined, limit: number): Promise<AuditEntry[]>;
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
