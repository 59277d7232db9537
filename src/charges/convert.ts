/** Converts between messages of `charge.v1` and the domain's charges. Nothing else does. */

import {
  type CallOutcome,
  type Charge as ProtoCharge,
  type ChargeState,
  type ChargeType,
  Provider,
  type TokenDetails as ProtoTokenDetails,
} from '../../generated/charge/v1/charge.ts';
import {
  type ChargeFilter as ProtoChargeFilter,
  type CreateChargeRequest,
  type GetChargeHistoryResponse,
  ListChargesOrder,
} from '../../generated/charge/v1/charge_service.ts';
import type {
  ChargeAmended,
  ChargeCreated,
  ChargeRepriced,
  ChargeVoided,
  Correction as ProtoCorrection,
  UserProfileErased,
} from '../../generated/charge/v1/event.ts';
import type { ServiceTier, UsageKind } from '../../generated/charge/v1/money.ts';
import { fromProtoTimestamp, toProtoTimestamp } from '../grpc/timestamp.ts';
import { type CostLine, toProtoCost } from '../prices/index.ts';
import {
  type Charge,
  CHARGE_STATE,
  type ChargeContent,
  type ChargeFilter,
  type ChargeRequest,
  type Correction,
  SERVICE_TIER_STANDARD,
  type TokenDetails,
} from './charge.ts';
import type { JournalEvent } from './charge-event.ts';
import type { ChargeHistory, ListQuery } from './ports.ts';

/** A request that satisfies the contract's rules, with the trace that it belongs to. */
export function fromProtoCreateChargeRequest(
  { charge, requestId, importId }: CreateChargeRequest,
  traceparent: string | undefined,
): ChargeRequest {
  if (charge === undefined) throw new TypeError('a request without a charge passed validation');
  return { requestId, content: fromProtoCharge(charge), importId: importId.toLowerCase(), traceparent };
}

/**
 * What a caller says about a charge, from a message that satisfies the contract's rules. Fields that the
 * server sets are ignored, an absent total becomes the sum of its parts, and an unspecified tier is the standard one.
 */
export function fromProtoCharge(charge: ProtoCharge): ChargeContent {
  return {
    userProfile: charge.userProfile,
    sessionKey: charge.sessionKey,
    provider: charge.provider,
    otherProvider: charge.otherProvider,
    chargeType: charge.chargeType,
    promptTokens: charge.promptTokens,
    completionTokens: charge.completionTokens,
    totalTokens:
      charge.totalTokens === 0n ? charge.promptTokens + charge.completionTokens : charge.totalTokens,
    tokenDetails: charge.tokenDetails && tokenDetails(charge.tokenDetails),
    model: charge.model,
    reference: charge.reference,
    labels: charge.labels,
    usageTimeMicros: charge.usageTime && fromProtoTimestamp(charge.usageTime),
    serviceTier: charge.serviceTier || SERVICE_TIER_STANDARD,
    region: charge.region,
    quantities: quantities(charge.quantities),
    reportedCost: charge.reportedCost,
    callOutcome: charge.callOutcome,
  };
}

const NO_QUANTITIES: ReadonlyMap<number, bigint> = new Map();

function quantities(list: ProtoCharge['quantities']): ReadonlyMap<number, bigint> {
  return list.length === 0 ? NO_QUANTITIES : new Map(list.map(({ kind, amount }) => [kind, amount]));
}

/** The message of a stored charge. `lines` explain its cost. */
export function toProtoCharge(charge: Charge, lines?: readonly CostLine[]): ProtoCharge {
  const createTime = toProtoTimestamp(charge.createTimeMicros);
  const { status } = charge;
  return {
    id: charge.id,
    userProfile: charge.userProfile,
    sessionKey: charge.sessionKey,
    // The contract's rules accept only defined values, and stored values never change.
    provider: charge.provider as Provider,
    otherProvider: charge.otherProvider,
    chargeType: charge.chargeType as ChargeType,
    promptTokens: charge.promptTokens,
    completionTokens: charge.completionTokens,
    totalTokens: charge.totalTokens,
    tokenDetails: charge.tokenDetails && tokenDetails(charge.tokenDetails),
    model: charge.model,
    reference: charge.reference,
    labels: sortedByKey(charge.labels),
    usageTime: toProtoTimestamp(charge.usageTimeMicros),
    createTime,
    updateTime: status === undefined ? createTime : toProtoTimestamp(status.updateTimeMicros),
    serviceTier: charge.serviceTier as ServiceTier,
    region: charge.region,
    quantities: [...sortedByKey(charge.quantities)].map(([kind, amount]) => ({
      kind: kind as UsageKind,
      amount,
    })),
    reportedCost: charge.reportedCost,
    cost: toProtoCost(charge, revisionOf(charge), lines),
    state: (status?.state ?? CHARGE_STATE.active) as ChargeState,
    amends: charge.amends,
    replacedBy: status?.replacedBy ?? '',
    callOutcome: charge.callOutcome as CallOutcome,
    importId: charge.importId,
  };
}

function revisionOf({ status }: Charge): number {
  return status?.revision ?? 0;
}

/** One order for a charge from memory and for the same one from the database, so that its bytes are always the same. */
function sortedByKey<Key extends string | number, Value>(map: ReadonlyMap<Key, Value>): Map<Key, Value> {
  // ts-proto only reads the map.
  return map.size < 2 ? (map as Map<Key, Value>) : new Map([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The members have the same names on both sides. */
function tokenDetails(details: ProtoTokenDetails | TokenDetails): ProtoTokenDetails & TokenDetails {
  return {
    cacheReadTokens: details.cacheReadTokens,
    cacheWrite5mTokens: details.cacheWrite5mTokens,
    cacheWrite1hTokens: details.cacheWrite1hTokens,
    reasoningTokens: details.reasoningTokens,
    audioInputTokens: details.audioInputTokens,
    audioOutputTokens: details.audioOutputTokens,
    imageInputTokens: details.imageInputTokens,
    imageOutputTokens: details.imageOutputTokens,
  };
}

/** The message of an event, under its name in `WatchChargesResponse`. */
type ProtoChargeEvent =
  | { readonly $case: 'chargeCreated'; readonly value: ChargeCreated }
  | { readonly $case: 'chargeVoided'; readonly value: ChargeVoided }
  | { readonly $case: 'chargeAmended'; readonly value: ChargeAmended }
  | { readonly $case: 'chargeRepriced'; readonly value: ChargeRepriced }
  | { readonly $case: 'userProfileErased'; readonly value: UserProfileErased };

/** The message of an event: the same, whenever it is made. */
export function toProtoChargeEvent(event: JournalEvent): ProtoChargeEvent {
  const { id: eventId, sequence, tenant } = event;
  if (event.kind === 'erased') {
    const { pseudonym, charges, userProfile } = event;
    const value = { eventId, pseudonym, sequence, tenant, userProfile, charges };
    return { $case: 'userProfileErased', value };
  }
  const base = { eventId, charge: toProtoCharge(event.charge), sequence, tenant };
  switch (event.kind) {
    case 'created':
      return { $case: 'chargeCreated', value: base };
    case 'voided':
      return { $case: 'chargeVoided', value: { ...base, correction: toProtoCorrection(event.correction) } };
    case 'amended': {
      const original = toProtoCharge(event.original);
      const correction = toProtoCorrection(event.correction);
      return { $case: 'chargeAmended', value: { ...base, original, correction } };
    }
    case 'repriced': {
      const previousCost = toProtoCost(event.previousCost, revisionOf(event.charge) - 1);
      return { $case: 'chargeRepriced', value: { ...base, previousCost, runId: event.runId } };
    }
  }
}

/** The message of a correction. */
export function toProtoCorrection(correction: Correction): ProtoCorrection {
  return {
    id: correction.id,
    state: correction.state as ChargeState,
    reason: correction.reason,
    createTime: toProtoTimestamp(correction.createTimeMicros),
    replacementId: correction.replacementId,
    closedPeriod: correction.closedPeriod,
    sequence: correction.sequence,
  };
}

/** The message of a history. */
export function toProtoChargeHistory({ charge, costs, correction }: ChargeHistory): GetChargeHistoryResponse {
  return {
    charge: toProtoCharge(charge),
    costs: costs.map(({ cost, lines, revision, createTimeMicros, runId, reason, sequence }) => ({
      cost: toProtoCost(cost, revision, lines),
      createTime: toProtoTimestamp(createTimeMicros),
      runId,
      reason,
      sequence,
    })),
    correction: correction && toProtoCorrection(correction),
  };
}

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
    importId: filter.importId.toLowerCase() || undefined,
    labels: filter.labels.size > 0 ? filter.labels : undefined,
    userProfileLabels: filter.userProfileLabels.size > 0 ? filter.userProfileLabels : undefined,
    startTimeMicros: filter.startTime && fromProtoTimestamp(filter.startTime),
    endTimeMicros: filter.endTime && fromProtoTimestamp(filter.endTime),
  };
}

/** The order of a list; unspecified: the newest first. */
export function fromProtoListChargesOrder(order: ListChargesOrder): ListQuery['order'] {
  return order === ListChargesOrder.LIST_CHARGES_ORDER_OLDEST_FIRST ? 'oldest_first' : 'newest_first';
}

const PROVIDER_LABELS = new Map<number, string>(
  Object.entries(Provider).map(([name, number]) => [number, name.replace('PROVIDER_', '').toLowerCase()]),
);

/** The provider of a charge as metrics name it: `openai`, `meta_ai`, `other`. */
export function providerLabel(provider: number): string {
  return PROVIDER_LABELS.get(provider) ?? 'other';
}
