/** What other features may use of tenants. The process roots also use `rpc/`. */

export { tenantEntities } from './entity.ts';
export { DEFAULT_SETTINGS, DEFAULT_TENANT, type TenantSettings, UNKNOWN_USER_PROFILES } from './tenant.ts';
export { credentialFaults } from './credentials/check-files.ts';
export { openAuthenticator } from './store/open-authenticator.ts';
