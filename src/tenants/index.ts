/** What other features may use of tenants. The process roots also use `rpc/`. */

export type { Act, Actor } from './audit.ts';
export { tenantEntities } from './entity.ts';
export type { TenantDirectory } from './ports.ts';
export { Administration } from './store/administration.ts';
export { createApiKeyStore } from './store/api-keys.ts';
export { appendAuditEntry, createAuditLogReader } from './store/audit-log.ts';
export { KnownTenants } from './store/known-tenants.ts';
export { createTenantStore } from './store/tenants.ts';
export { DEFAULT_SETTINGS, DEFAULT_TENANT, type TenantSettings, UNKNOWN_USER_PROFILES } from './tenant.ts';
