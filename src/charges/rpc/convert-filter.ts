/** `charge.v1.ChargeFilter` and `charge.v1.ListChargesOrder`. */

import {
  type ChargeFilter as ProtoChargeFilter,
  ListChargesOrder,
} from '../../../generated/charge/v1/charge_service.ts';
import { fromProtoTimestamp } from '../../grpc/timestamp.ts';
import type { ChargeFilter } from '../charge.ts';
import type { ListQuery } from '../ports.ts';

const EVERYTHING: ChargeFilter = {};

/** A filter that satisfies the contract's rules; absent: everything. Empty members do not restrict. */
export function fromProtoChargeFilter(filter: ProtoChargeFilter | undefined): ChargeFilter {
  if (filter === undefined) return EVERYTHING;
  return {
    userProfile: filter.userProfile || undefined,
    sessionKey: filter.sessionKey || undefined,
    provider: filter.provider || undefined,
    chargeType: filter.chargeType || undefined,
    model: filter.model || undefined,
    reference: filter.reference || undefined,
    labels: filter.labels.size > 0 ? filter.labels : undefined,
    startTimeMicros: filter.startTime && fromProtoTimestamp(filter.startTime),
    endTimeMicros: filter.endTime && fromProtoTimestamp(filter.endTime),
  };
}

/** The order of a list; unspecified: the newest first. */
export function fromProtoListChargesOrder(order: ListChargesOrder): ListQuery['order'] {
  return order === ListChargesOrder.LIST_CHARGES_ORDER_OLDEST_FIRST ? 'oldest_first' : 'newest_first';
}
