/** The failures that only tenants, credentials and user profiles have. `charge.v1.ErrorReason` documents each reason. */

import { excerpt, type Failure, MESSAGE_EXCERPT_UNITS, permissionDenied } from '../errors/failure.ts';

/** There is no such tenant. */
export function tenantNotFound(tenantId: string): Failure {
  return {
    code: 'NOT_FOUND',
    reason: 'TENANT_NOT_FOUND',
    message: `There is no tenant ${tenantId}.`,
    metadata: { tenant_id: tenantId },
  };
}

/** A tenant has this id already. */
export function tenantAlreadyExists(tenantId: string): Failure {
  return {
    code: 'ALREADY_EXISTS',
    reason: 'TENANT_ALREADY_EXISTS',
    message: `A tenant ${tenantId} exists already. Nothing was changed.`,
    metadata: { tenant_id: tenantId },
  };
}

/** The tenant of the credential is suspended. */
export function tenantSuspended(tenantId: string): Failure {
  return {
    code: 'PERMISSION_DENIED',
    reason: 'TENANT_SUSPENDED',
    message: `The tenant ${tenantId} is suspended. Its data is kept; ask the operator to resume it.`,
    metadata: { tenant_id: tenantId },
  };
}

/** What a token or a certificate is checked with cannot be read. */
export function issuerUnavailable(retryAfterMs: number): Failure {
  return {
    code: 'UNAVAILABLE',
    reason: 'ISSUER_UNAVAILABLE',
    message: 'The credential cannot be checked now. Nothing was stored; try again later.',
    retryAfterMs,
  };
}

/** The credential is of another tenant, and not the operator's. */
export function notTheOperator(tenantId: string): Failure {
  return permissionDenied(
    `This needs a credential of the operator. Yours is of the tenant ${tenantId}, which it can administer alone.`,
    { tenant_id: tenantId },
  );
}

/** A key would get scopes that the caller does not have. */
export function scopesNotHeld(scopes: readonly string[]): Failure {
  return permissionDenied(
    `A key can only have scopes that its creator has. Your credential lacks ${scopes.join(', ')}.`,
    { required_scope: `SCOPE_${scopes[0]}` },
  );
}

/** The tenant has no such API key. */
export function apiKeyNotFound(id: string): Failure {
  return {
    code: 'NOT_FOUND',
    reason: 'API_KEY_NOT_FOUND',
    message: `The tenant has no API key ${excerpt(id, MESSAGE_EXCERPT_UNITS)} that can be changed.`,
    metadata: { id: excerpt(id) },
  };
}

/** The tenant has no such user profile. */
export function userProfileNotFound(userProfile: string): Failure {
  return {
    code: 'NOT_FOUND',
    reason: 'USER_PROFILE_NOT_FOUND',
    message: `There is no user profile ${excerpt(userProfile, MESSAGE_EXCERPT_UNITS)}.`,
    metadata: { user_profile: excerpt(userProfile) },
  };
}

/** A user profile has this id already. */
export function userProfileAlreadyExists(userProfile: string): Failure {
  return {
    code: 'ALREADY_EXISTS',
    reason: 'USER_PROFILE_ALREADY_EXISTS',
    message: `A user profile ${excerpt(userProfile, MESSAGE_EXCERPT_UNITS)} exists already. Nothing was changed.`,
    metadata: { user_profile: excerpt(userProfile) },
  };
}
