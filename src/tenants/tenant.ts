/** Tenants: whose charges, prices and credentials are kept apart. */

/** The operator's tenant. It is always there, and callers without a credential belong to it where that is allowed. */
export const DEFAULT_TENANT = 'default';

/** What happens with a charge of an unknown or disabled user profile; numbers of `charge.v1.UnknownUserProfiles`. */
export const UNKNOWN_USER_PROFILES = { accept: 1, create: 2, refuse: 3 } as const;

/** What is set for a tenant: one of {@link UNKNOWN_USER_PROFILES}, or 0, which is `accept`. */
export type UnknownUserProfilesOf = (tenant: string) => number | Promise<number>;

/** What an operator sets for each tenant. A limit of 0: the tenant has none of its own. */
export interface TenantSettings {
  /** One of {@link UNKNOWN_USER_PROFILES}; 0 is `accept`. */
  readonly unknownUserProfiles: number;
  readonly callsInFlightMax: number;
  readonly streamsMax: number;
  readonly chargesPerSecondMax: number;
}

/** The settings of a tenant that nobody has changed. */
export const DEFAULT_SETTINGS: TenantSettings = {
  unknownUserProfiles: 0,
  callsInFlightMax: 0,
  streamsMax: 0,
  chargesPerSecondMax: 0,
};

/** A tenant. */
export interface Tenant extends TenantSettings {
  /** Its id. */
  readonly tenant: string;
  /** May be empty. */
  readonly displayName: string;
  readonly createTimeMicros: bigint;
  /** Undefined: it is not suspended. */
  readonly suspendTimeMicros: bigint | undefined;
}

const TENANT_ID = /^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** Whether a value is the id that a tenant may have: 1–63 lower-case letters, digits and hyphens. */
export function isTenantId(value: unknown): value is string {
  return typeof value === 'string' && TENANT_ID.test(value);
}

/** The fields that an operator can change, by their names in the contract and in the audit log. */
export const TENANT_FIELDS = {
  display_name: 'displayName',
  'settings.unknown_user_profiles': 'unknownUserProfiles',
  'settings.calls_in_flight_max': 'callsInFlightMax',
  'settings.streams_max': 'streamsMax',
  'settings.charges_per_second_max': 'chargesPerSecondMax',
} as const satisfies Readonly<Record<string, keyof Tenant>>;

/** New values of some fields. */
export type TenantChange = Partial<Pick<Tenant, (typeof TENANT_FIELDS)[keyof typeof TENANT_FIELDS]>>;

/** What a change makes different, by the names of the fields: `0 -> 10`, `unset -> refuse`. */
export function differences(tenant: Tenant, change: TenantChange): Map<string, string> {
  const found = new Map<string, string>();
  for (const [name, field] of Object.entries(TENANT_FIELDS)) {
    const value = change[field];
    if (value === undefined || value === tenant[field]) continue;
    found.set(name, `${textOf(field, tenant[field])} -> ${textOf(field, value)}`);
  }
  return found;
}

/** For people: a rule by its name. */
function textOf(field: keyof TenantChange, value: string | number): string {
  if (field !== 'unknownUserProfiles') return String(value);
  const rules = Object.entries(UNKNOWN_USER_PROFILES);
  return rules.find(([, number]) => number === value)?.[0] ?? 'unset';
}
