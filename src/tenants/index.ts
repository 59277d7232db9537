/** What other features may use of tenants. The process roots also use `rpc/`. */

export type { Act, Actor } from './audit.ts';
export { tenantEntities } from './entity.ts';
export { userProfileNotFound } from './errors.ts';
export type { ErasedUserProfile, Eraser, TenantDirectory } from './ports.ts';
export { Administration } from './store/administration.ts';
export { type Bootstrap, bootstrapApiKey, createApiKeyStore } from './store/api-keys.ts';
export { appendAuditEntries, appendAuditEntry, createAuditLogReader } from './store/audit-log.ts';
export { createTenantStore } from './store/tenants.ts';
export {
  AFTER_MISSING_PROFILES,
  checkUserProfiles,
  CREATE_MISSING_PROFILES,
  createIfMissing,
  KnownUserProfiles,
  outdateChecks,
  type UserProfileCheck,
  type UserProfileFault,
} from './store/charged-user-profiles.ts';
export { labelledUserProfiles } from './store/labelled-user-profiles.ts';
export { createUserProfileReader } from './store/user-profile-reader.ts';
export { UserProfileWriter } from './store/user-profile-writer.ts';
export { KnownTenants } from './store/known-tenants.ts';
export {
  DEFAULT_SETTINGS,
  DEFAULT_TENANT,
  type TenantSettings,
  UNKNOWN_USER_PROFILES,
  type UnknownUserProfilesOf,
} from './tenant.ts';
export { credentialFaults } from './credentials/check-files.ts';
export { openAuthenticator } from './store/open-authenticator.ts';
