/** The cases with exact amounts, `money-cases.json`, as messages of the contract. */

import { readFileSync } from 'node:fs';

import { Charge, ChargeType, Provider, TokenDetails } from '../../../generated/charge/v1/charge.ts';
import { type CostLine, ServiceTier, UsageKind } from '../../../generated/charge/v1/money.ts';
import { type Price, PriceKey, type Rate } from '../../../generated/charge/v1/price_service.ts';
import type { Timestamp } from '../../../generated/google/protobuf/timestamp.ts';

type Rates = Readonly<Record<string, bigint>>;

/** A charge as the cases spell it: enum values without their prefixes. */
export interface CaseCharge {
  readonly provider: string;
  readonly other_provider?: string;
  readonly charge_type: string;
  readonly user_profile?: string;
  readonly model: string;
  readonly service_tier?: string;
  readonly region?: string;
  readonly prompt_tokens: bigint;
  readonly completion_tokens: bigint;
  readonly token_details?: Readonly<Record<string, bigint>>;
  readonly quantities?: readonly { readonly kind: string; readonly amount: bigint }[];
  readonly reported_cost?: { readonly currency_code: string; readonly nanos: bigint };
  readonly usage_time?: string;
}

/** A price of a case: rates, or a basis of its own. The key is that of the case's charge. */
export interface CasePrice {
  readonly rates?: Rates;
  readonly model?: string;
  readonly reported?: object;
}

/** What a charge should cost. */
export interface CaseExpected {
  readonly status: 'PRICED' | 'UNPRICED';
  readonly nanos: bigint | null;
  readonly lines?: readonly {
    readonly kind: string;
    readonly quantity: bigint;
    readonly nanos_per_million: bigint;
    readonly nanos: bigint;
  }[];
  readonly unpriced_kinds?: readonly string[];
  readonly unpriced_reason?: string | null;
  readonly reported_nanos?: bigint;
}

/** One charge and its cost. */
export interface CostCase {
  readonly id: string;
  readonly kind: 'cost' | 'reported';
  readonly title: string;
  readonly price_from: { readonly catalogue?: string; readonly create_price?: CasePrice } | null;
  readonly charge: CaseCharge;
  readonly expected: CaseExpected;
}

/** What happens one after another. Which members a step has depends on `step`. */
export interface Step {
  readonly step: string;
  readonly request_id?: string;
  readonly usage_time?: string;
  readonly effective_time?: string;
  readonly end_time?: string;
  readonly now?: string;
  readonly rates?: Rates;
  readonly version?: bigint;
  readonly charge?: CaseCharge | string;
  readonly replacement?: CaseCharge;
  readonly reason?: string;
  readonly allow_closed_period?: boolean;
  readonly include_corrected?: boolean;
  readonly user_profile?: string;
  readonly as_of_sequence?: bigint;
  readonly dry_run?: boolean;
  readonly only_unpriced?: boolean;
  readonly expect?: Readonly<Record<string, unknown>>;
}

/** Steps that share one journal. */
export interface TimelineCase {
  readonly id: string;
  readonly kind: 'timeline';
  readonly title: string;
  readonly steps: readonly Step[];
}

/** An import of the catalogue, twice. */
export interface ImportCase {
  readonly id: string;
  readonly kind: 'import';
  readonly title: string;
  readonly expected: Readonly<Record<string, unknown>>;
}

/** Reads the cases. Every whole number in them becomes a bigint: an amount must never be a double. */
export function readMoneyCases(path: string): readonly (CostCase | TimelineCase | ImportCase)[] {
  const toBigint = (_: string, value: unknown, { source }: { source?: string }): unknown =>
    typeof value === 'number' && /^-?\d+$/.test(source ?? '') ? BigInt(source ?? '') : value;
  const parse = JSON.parse as (text: string, reviver: typeof toBigint) => unknown;
  return (parse(readFileSync(path, 'utf8'), toBigint) as { cases: (CostCase | TimelineCase)[] }).cases;
}

/** The enum value of a name without its prefix. Throws if there is none. */
function valueOf<T>(values: Readonly<Record<string, T>>, prefix: string, name: string): T {
  const value = values[`${prefix}_${name}`];
  if (value === undefined) throw new Error(`there is no ${prefix}_${name}`);
  return value;
}

const camelCase = (name: string): string =>
  name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

export const kindOf = (name: string): UsageKind => valueOf(UsageKind, 'USAGE_KIND', name);

export const linesOf = (expected: CaseExpected): CostLine[] =>
  (expected.lines ?? []).map(({ kind, quantity, nanos_per_million, nanos }) => ({
    kind: kindOf(kind),
    quantity,
    nanosPerMillion: nanos_per_million,
    nanos,
  }));

/** A time of RFC 3339 with at most microseconds. */
export function timestamp(text: string): Timestamp {
  const [, fraction = ''] = /\.(\d+)Z$/.exec(text) ?? [];
  return {
    seconds: BigInt(Date.parse(text.slice(0, 19) + 'Z')) / 1000n,
    nanos: Number(fraction.padEnd(9, '0')),
  };
}

/** The charge of a case. */
export function chargeOf(from: CaseCharge, usageTime = from.usage_time): Charge {
  return {
    ...Charge.fromPartial({}),
    userProfile: from.user_profile ?? 'alice',
    provider: valueOf(Provider, 'PROVIDER', from.provider),
    otherProvider: from.other_provider ?? '',
    chargeType: valueOf(ChargeType, 'CHARGE_TYPE', from.charge_type),
    model: from.model,
    serviceTier: valueOf(ServiceTier, 'SERVICE_TIER', from.service_tier ?? 'UNSPECIFIED'),
    region: from.region ?? '',
    promptTokens: from.prompt_tokens,
    completionTokens: from.completion_tokens,
    tokenDetails: from.token_details && detailsOf(from.token_details),
    quantities: (from.quantities ?? []).map(({ kind, amount }) => ({ kind: kindOf(kind), amount })),
    reportedCost: from.reported_cost && {
      currencyCode: from.reported_cost.currency_code,
      nanos: from.reported_cost.nanos,
    },
    usageTime: usageTime === undefined ? undefined : timestamp(usageTime),
  };
}

const detailsOf = (details: Readonly<Record<string, bigint>>): TokenDetails => ({
  ...TokenDetails.fromPartial({}),
  ...Object.fromEntries(Object.entries(details).map(([name, tokens]) => [camelCase(name), tokens])),
});

const ratesOf = (rates: Rates): Rate[] =>
  Object.entries(rates).map(([kind, nanosPerMillion]) => ({ kind: kindOf(kind), nanosPerMillion }));

/** A price for what this charge used. */
export function priceOf(from: CasePrice, usage: CaseCharge, effectiveTime = '0001-01-01T00:00:00Z'): Price {
  const { provider, otherProvider, chargeType, model, serviceTier } = chargeOf(usage);
  return {
    version: 0n,
    key: PriceKey.fromPartial({
      provider,
      otherProvider,
      chargeType,
      model: from.model ?? model,
      serviceTier,
    }),
    effectiveTime: timestamp(effectiveTime),
    basis: from.reported
      ? { $case: 'reported', value: {} }
      : { $case: 'rateCard', value: { currencyCode: 'USD', rates: ratesOf(from.rates ?? {}), tiers: [] } },
    source: '',
    note: '',
    createTime: undefined,
  };
}
