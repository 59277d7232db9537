/**
 * The columns of FOCUS 1.4 that charges can fill, in alphabetical order, and then those of this program, which begin
 * with `x_` as FOCUS wants it. `x_ModelId`, `x_TokenDirection` and `x_TokenCacheAction` have the names of the
 * properties that the drafts of FOCUS 1.5 add to `SkuPriceDetails`.
 */

import { callOutcomeToJSON, type Charge } from '../../../../generated/charge/v1/charge.ts';
import {
  costStatusToJSON,
  serviceTierToJSON,
  unpricedReasonToJSON,
  usageKindToJSON,
} from '../../../../generated/charge/v1/money.ts';
import { timeOf } from '../../cell-text.ts';
import { labelText } from '../label-text.ts';
import { decimalText } from '../../money.ts';
import { microsOf } from '../../time.ts';
import type { FocusRow } from './focus-row.ts';

/** A column and the text of its cells; empty: null. */
export type FocusColumn<Row> = readonly [name: string, text: (row: Row) => string];

/** A rate is for 10^6 of what the service counts. */
const RATE_POWER = 6;

/** Seconds since 1970 as FOCUS writes times. */
export function focusTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}

function usageSecond({ usageTime }: Charge): number {
  return Number(usageTime?.seconds ?? 0n);
}

/** The first moment of the calendar month (UTC) of the usage, or of the one after it. */
function month({ item }: FocusRow, offset: 0 | 1): string {
  const time = new Date(usageSecond(item.charge) * 1000);
  // Date.UTC() takes the years 0 to 99 for those of the last century.
  time.setUTCMonth(time.getUTCMonth() + offset, 1);
  time.setUTCHours(0, 0, 0, 0);
  return focusTime(time.getTime() / 1000);
}

/** How much was used, in the unit of the meter. Without a meter, all tokens. */
function consumed({ line, meter, item }: FocusRow): string {
  if (line && meter) return decimalText(line.quantity, meter.power);
  const { totalTokens } = item.charge;
  return totalTokens > 0n ? String(totalTokens) : '';
}

function kindName({ line }: FocusRow): string {
  return line ? usageKindToJSON(line.kind).replace('USAGE_KIND_', '') : '';
}

const cost = ({ cost: text }: FocusRow): string => text;
/** For `10^6 / 10^power` units of the meter. */
const unitPrice = ({ line }: FocusRow): string => (line ? decimalText(line.nanosPerMillion, 9) : '');
const provider = ({ provider: name }: FocusRow): string => name;

function description(row: FocusRow): string {
  const what = row.meter?.name ?? row.service;
  return [what, row.item.charge.model].filter((text) => text !== '').join(' of ');
}

/** In FOCUS 1.4 these are properties of the provider, so their names begin with `x_`. */
function priceDetails(row: FocusRow): string {
  if (!row.line) return '';
  const { model, serviceTier } = row.item.charge;
  const details = {
    ...(model !== '' && { x_ModelId: model }),
    x_ServiceTier: serviceTierToJSON(serviceTier).replace('SERVICE_TIER_', ''),
    ...(row.meter?.cacheAction && { x_TokenCacheAction: row.meter.cacheAction }),
    ...(row.meter?.direction && { x_TokenDirection: row.meter.direction }),
  };
  return JSON.stringify(details);
}

export const FOCUS_COLUMNS: readonly FocusColumn<FocusRow>[] = [
  ['BilledCost', cost],
  ['BillingAccountId', ({ item }) => item.charge.userProfile],
  ['BillingAccountName', () => ''],
  ['BillingCurrency', ({ currency }) => currency],
  ['BillingPeriodEnd', (row) => month(row, 1)],
  ['BillingPeriodStart', (row) => month(row, 0)],
  ['ChargeCategory', () => 'Usage'],
  ['ChargeClass', () => ''],
  ['ChargeDescription', description],
  ['ChargeFrequency', () => 'Usage-Based'],
  ['ChargePeriodEnd', ({ item }) => focusTime(usageSecond(item.charge) + 1)],
  ['ChargePeriodStart', ({ item }) => focusTime(usageSecond(item.charge))],
  ['ConsumedQuantity', consumed],
  ['ConsumedUnit', (row) => row.meter?.unit ?? (consumed(row) === '' ? '' : 'Tokens')],
  ['ContractedCost', cost],
  ['ContractedUnitPrice', unitPrice],
  ['EffectiveCost', cost],
  ['HostProviderName', provider],
  ['InvoiceIssuerName', provider],
  ['ListCost', cost],
  ['ListUnitPrice', unitPrice],
  ['PricingCategory', ({ line }) => (line ? 'Standard' : '')],
  ['PricingQuantity', ({ line }) => (line ? decimalText(line.quantity, RATE_POWER) : '')],
  ['PricingUnit', ({ meter }) => (meter ? `${10 ** (RATE_POWER - meter.power)} ${meter.unit}` : '')],
  ['RegionId', ({ item }) => item.charge.region],
  ['RegionName', ({ item }) => item.charge.region],
  ['ServiceCategory', () => 'AI and Machine Learning'],
  ['ServiceName', ({ service }) => service],
  ['ServiceProviderName', provider],
  [
    'ServiceSubcategory',
    ({ isGenerativeAi }) => (isGenerativeAi ? 'Generative AI' : 'Other (AI and Machine Learning)'),
  ],
  ['SkuId', (row) => (row.line ? [row.provider, row.item.charge.model, kindName(row)].join('/') : '')],
  ['SkuMeter', ({ meter }) => meter?.name ?? ''],
  ['SkuPriceDetails', priceDetails],
  ['SkuPriceId', (row) => (row.line ? `${row.item.charge.cost?.priceVersion}/${kindName(row)}` : '')],
  ['Tags', ({ item }) => labelText(item.charge.labels)],
  ['x_CallOutcome', ({ item: { charge } }) => named(callOutcomeToJSON(charge.callOutcome), 'CALL_OUTCOME_')],
  ['x_ChargeId', ({ item }) => item.charge.id],
  [
    'x_CostStatus',
    ({ item: { charge } }) => named(costStatusToJSON(charge.cost?.status ?? 0), 'COST_STATUS_'),
  ],
  ['x_ModelId', ({ item }) => item.charge.model],
  ['x_Reference', ({ item }) => item.charge.reference],
  ['x_RequestId', ({ item }) => item.requestId],
  ['x_ServiceTier', ({ item: { charge } }) => named(serviceTierToJSON(charge.serviceTier), 'SERVICE_TIER_')],
  ['x_SessionKey', ({ item }) => item.charge.sessionKey],
  ['x_TokenCacheAction', ({ meter }) => meter?.cacheAction ?? ''],
  ['x_TokenDirection', ({ meter }) => meter?.direction ?? ''],
  [
    'x_UnpricedReason',
    ({ item: { charge } }) =>
      named(unpricedReasonToJSON(charge.cost?.unpricedReason ?? 0), 'UNPRICED_REASON_'),
  ],
  ['x_UsageTime', ({ item: { charge } }) => (charge.usageTime ? timeOf(microsOf(charge.usageTime)) : '')],
];

/** The name of an enum value; empty: it is unspecified. */
function named(name: string, prefix: string): string {
  const short = name.replace(prefix, '');
  return short === 'UNSPECIFIED' ? '' : short;
}
