/** What other features may use of tenants. The process roots also use `rpc/`. */

export type { Act, Actor } from './audit.ts';
export { tenantEntities } from './entity.ts';
export { userProfileNotFound } from './errors.ts';
export type { ErasedUserProfile, Eraser, TenantDirectory } from './ports.ts';
export { appendAuditEntry } from './store/audit-log.ts';
export { KnownTenants } from './store/known-tenants.ts';
export { DEFAULT_SETTINGS, DEFAULT_TENANT, type TenantSettings, UNKNOWN_USER_PROFILES } from './tenant.ts';
export { credentialFaults } from './credentials/check-files.ts';
export { openAuthenticator } from './store/open-authenticator.ts';
