/** Refuses calls that would record more than their tenant may. */

import { ServiceError, tenantLimitExceeded } from '../errors/failure.ts';
import type { ChargeRates } from './charge-rates.ts';
import type { ChargeRecorder } from './ports.ts';

/** The recorder for callers that are refused, with a time to wait, if their tenant is at its limit. */
export function rateLimited(recorder: ChargeRecorder, rates: ChargeRates): ChargeRecorder {
  return {
    record: (tenant, requests, options) => {
      const waitMs = rates.takeAll(tenant, requests.length);
      if (waitMs === 0) return recorder.record(tenant, requests, options);
      const description = `${rates.maxOf(tenant).toLocaleString('en')} charges per second`;
      return Promise.reject(new ServiceError(tenantLimitExceeded('charges_per_second', description, waitMs)));
    },
  };
}
