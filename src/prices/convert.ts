/** Converts between messages of `charge.v1` and the domain's prices and costs. Nothing else does. */

import {
  type Cost as ProtoCost,
  type CostLine as ProtoCostLine,
  CostStatus,
  UnpricedReason,
  type UsageKind,
} from '../../generated/charge/v1/money.ts';
import type {
  CreatePriceRequest,
  CreatePriceResponse,
  Price as ProtoPrice,
  PriceKey as ProtoPriceKey,
  Rate,
} from '../../generated/charge/v1/price_service.ts';
import { fromProtoTimestamp, toProtoTimestamp } from '../grpc/timestamp.ts';
import type { PriceRequest, PriceResult } from './price-decision.ts';
import {
  type Basis,
  type Cost,
  type CostLine,
  ModelMatch,
  type Price,
  type PriceContent,
  type PriceKey,
  type Rates,
  ServiceTier,
} from './price.ts';

/** A request that satisfies the contract's rules. */
export function fromProtoCreatePriceRequest({
  price,
  requestId,
  allowPast,
}: CreatePriceRequest): PriceRequest {
  if (price === undefined) throw new TypeError('a request without a price passed validation');
  return { requestId, allowPast, content: fromProtoPrice(price) };
}

/** What a caller says about a price. Fields that the server sets are ignored. */
function fromProtoPrice({ key, effectiveTime, basis, source, note }: ProtoPrice): PriceContent {
  if (key === undefined) throw new TypeError('a price without a key passed validation');
  return {
    key: {
      provider: key.provider,
      otherProvider: key.otherProvider,
      chargeType: key.chargeType,
      model: key.model,
      modelMatch: key.modelMatch || ModelMatch.EXACT,
      serviceTier: key.serviceTier || ServiceTier.STANDARD,
      region: key.region,
    },
    effectiveTimeMicros: effectiveTime && fromProtoTimestamp(effectiveTime),
    basis: fromProtoBasis(basis),
    source,
    note,
  };
}

function fromProtoBasis(basis: ProtoPrice['basis']): Basis {
  switch (basis?.$case) {
    case 'rateCard': {
      const { currencyCode, rates, tiers } = basis.value;
      const sorted = tiers.toSorted((a, b) => (a.abovePromptTokens < b.abovePromptTokens ? -1 : 1));
      return {
        kind: 'rate_card',
        card: {
          currencyCode,
          rates: fromProtoRates(rates),
          tiers: sorted.map((tier) => ({ ...tier, rates: fromProtoRates(tier.rates) })),
        },
      };
    }
    case 'alias':
      return { kind: 'alias', model: basis.value.model };
    case 'reported':
      return { kind: 'reported' };
    case 'withdrawn':
      return { kind: 'withdrawn' };
    case undefined:
      throw new TypeError('a price without a basis passed validation');
  }
}

/** In the order of the kinds. */
function fromProtoRates(rates: readonly Rate[]): Rates {
  const sorted = rates.toSorted((a, b) => a.kind - b.kind);
  return new Map(sorted.map(({ kind, nanosPerMillion }) => [kind, nanosPerMillion]));
}

/** The message of a stored version. */
export function toProtoPrice(price: Price): ProtoPrice {
  return {
    version: BigInt(price.version),
    key: toProtoPriceKey(price.key),
    effectiveTime: toProtoTimestamp(price.effectiveTimeMicros),
    basis: toProtoBasis(price.basis),
    source: price.source,
    note: price.note,
    createTime: toProtoTimestamp(price.createTimeMicros),
  };
}

/** The contract's rules accept only defined values, and stored values never change. */
function toProtoPriceKey(key: PriceKey): ProtoPriceKey {
  return { ...key } as ProtoPriceKey;
}

function toProtoBasis(basis: Basis): ProtoPrice['basis'] {
  switch (basis.kind) {
    case 'rate_card': {
      const { currencyCode, rates, tiers } = basis.card;
      const value = {
        currencyCode,
        rates: toProtoRates(rates),
        tiers: tiers.map((tier) => ({ ...tier, rates: toProtoRates(tier.rates) })),
      };
      return { $case: 'rateCard', value };
    }
    case 'alias':
      return { $case: 'alias', value: { model: basis.model } };
    case 'reported':
    case 'withdrawn':
      return { $case: basis.kind, value: {} };
  }
}

function toProtoRates(rates: Rates): Rate[] {
  return [...rates].map(([kind, nanosPerMillion]) => ({ kind: kind as UsageKind, nanosPerMillion }));
}

/** The message of what became of a request. */
export function toProtoCreatePriceResponse({ outcome, price }: PriceResult): CreatePriceResponse {
  return {
    price: toProtoPrice(price),
    replayed: outcome === 'replayed',
    unchanged: outcome === 'unchanged',
  };
}

const NO_LINES: ProtoCostLine[] = [];

/** The message of a cost that was repriced `revision` times. `lines` explain it. */
export function toProtoCost(cost: Cost, revision: number, lines: readonly CostLine[] = []): ProtoCost {
  const { costNanos: nanos, costCurrency: currencyCode } = cost;
  return {
    status: nanos === undefined ? CostStatus.COST_STATUS_UNPRICED : CostStatus.COST_STATUS_PRICED,
    amount: nanos === undefined ? undefined : { currencyCode, nanos },
    priceVersion: BigInt(cost.priceVersion),
    revision,
    unpricedReason: cost.unpricedReason as UnpricedReason,
    unpricedKinds: kindsOf(cost.unpricedKinds),
    lines: lines.length === 0 ? NO_LINES : lines.map((line) => ({ ...line, kind: line.kind as UsageKind })),
  };
}

const UNPRICED_REASON_LABELS = new Map<number, string>(
  Object.entries(UnpricedReason).map(([name, number]) => [
    number,
    name.replace('UNPRICED_REASON_', '').toLowerCase(),
  ]),
);

/** A reason as metrics name it: `no_price`, `missing_rate`. */
export function unpricedReasonLabel(reason: number): string {
  return UNPRICED_REASON_LABELS.get(reason) ?? 'unknown';
}

/** The kinds of a set of bits. */
export function kindsOf(bits: number): UsageKind[] {
  const kinds: UsageKind[] = [];
  for (let kind = 1; bits >>> kind !== 0; kind++) if ((bits >>> kind) & 1) kinds.push(kind as UsageKind);
  return kinds;
}
