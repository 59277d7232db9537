/** What a credential of one user profile may touch: only what belongs to it. Any other credential may touch everything. */

import { type Failure, permissionDenied, ServiceError } from '../errors/failure.ts';
import type { Principal } from './principal.ts';

/** Whether something is within reach. `owner`: the user profile that it belongs to; undefined: that is not known. */
export function mayTouch({ userProfile }: Principal, owner: string | undefined): boolean {
  return userProfile === undefined || userProfile === owner;
}

/** Why the principal may not act for this user profile, or undefined. */
export function refusalToActFor(principal: Principal, owner: string): Failure | undefined {
  if (mayTouch(principal, owner)) return undefined;
  return permissionDenied('This credential is for one user profile, and the request names another one.', {
    user_profile: principal.userProfile ?? '',
  });
}

/** The filter, restricted to what is within reach. Throws `permission_denied` if it asks for another user profile. */
export function withinReach<Filter extends { readonly userProfile?: string | undefined }>(
  principal: Principal,
  filter: Filter,
): Filter {
  const { userProfile } = principal;
  if (userProfile === undefined) return filter;
  const refusal = filter.userProfile ? refusalToActFor(principal, filter.userProfile) : undefined;
  if (refusal !== undefined) throw new ServiceError(refusal);
  return { ...filter, userProfile };
}
