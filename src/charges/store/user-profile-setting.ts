/** What happens with charges of unknown and disabled user profiles, before they are written. */

import { UNKNOWN_USER_PROFILES, type UserProfileCheck } from '../../tenants/index.ts';
import type { ChargeRow } from '../entity.ts';
import type { InsertOptions } from './insert-charges.ts';

/** Why charges are refused, by user profile. */
export type Faults = UserProfileCheck['faults'];

/** What the setting of the tenant makes of a group. */
export interface AppliedSetting extends Pick<InsertOptions, 'userProfileVersion' | 'createUserProfiles'> {
  /** Of the user profiles whose charges are refused. */
  readonly faults: Faults;
}

const NO_FAULTS: Faults = new Map();

/** `unknownUserProfiles`: one of `UNKNOWN_USER_PROFILES`; 0: accept. `check` is asked only if the setting needs it. */
export async function applySetting(
  unknownUserProfiles: number,
  charges: readonly ChargeRow[],
  check: (ids: readonly string[]) => Promise<UserProfileCheck>,
): Promise<AppliedSetting> {
  const { create, refuse } = UNKNOWN_USER_PROFILES;
  if (unknownUserProfiles !== create && unknownUserProfiles !== refuse) return { faults: NO_FAULTS };
  const { version, faults } = await check(charges.map(({ userProfile }) => userProfile));
  if (unknownUserProfiles === refuse) return { faults, userProfileVersion: version };
  const createUserProfiles = [...faults.values()].includes('unknown');
  return { faults: NO_FAULTS, userProfileVersion: version, createUserProfiles };
}

/** The charges that are written. */
export function withoutFault(charges: readonly ChargeRow[], faults: Faults): readonly ChargeRow[] {
  return faults.size === 0 ? charges : charges.filter(({ userProfile }) => !faults.has(userProfile));
}
