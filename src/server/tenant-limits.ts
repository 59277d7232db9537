/** The limits that an operator has set for a tenant. */

import type { TenantLimits } from '../grpc/tenant-limits.ts';
import type { TenantSettings } from '../tenants/index.ts';

/** The limits of the settings, and in place of those that are 0 the ones that hold for every tenant. */
export function limitsFrom(settings: TenantSettings, defaults: TenantLimits): TenantLimits {
  const { callsInFlightMax, streamsMax, chargesPerSecondMax } = settings;
  return {
    callsInFlightMax: callsInFlightMax || defaults.callsInFlightMax,
    streamsMax: streamsMax || defaults.streamsMax,
    chargesPerSecondMax: chargesPerSecondMax || defaults.chargesPerSecondMax,
  };
}
