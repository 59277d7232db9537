/** Sums as the dataset Cost and Usage of FOCUS 1.4, in CSV. docs/export.md says what stands in each column. */

import { CallOutcome, ChargeType } from '../../../../generated/charge/v1/charge.ts';
import { ServiceTier } from '../../../../generated/charge/v1/money.ts';
import { UsageGroup, type UsageRow } from '../../../../generated/charge/v1/usage_service.ts';
import type { Timestamp } from '../../../../generated/google/protobuf/timestamp.ts';
import { enumText } from '../../cell-text.ts';
import { decimalText } from '../../money.ts';
import type { QuestionOptions } from '../../usage/question-flags.ts';
import { windowEnd, windowStart } from '../../usage/windows.ts';
import { timestampOfZoned, zoned } from '../../usage/zone.ts';
import { csvLines } from '../csv.ts';
import { FOCUS_COLUMNS, focusTime, type FocusColumn } from '../focus/focus-columns.ts';
import { readLabels, type LabelOf } from '../focus/labels.ts';
import { labelText } from '../label-text.ts';
import type { LineFormat } from '../line-format.ts';

/** A row of the dataset. Sums have one for each currency of their costs, and one if they have no cost. */
export interface UsageFocusRow {
  readonly group: UsageGroup;
  readonly start: Timestamp;
  readonly end: Timestamp;
  readonly zone: string;
  /** `ServiceProviderName`. */
  readonly provider: string;
  /** `ServiceName`. */
  readonly service: string;
  /** Exact. Empty: no charge has a cost. */
  readonly cost: string;
  readonly currency: string;
  /** Undefined: the row before has them, and they must not count twice. */
  readonly counts: UsageRow | undefined;
  readonly asOf: bigint;
}

const callOutcome = enumText(CallOutcome, 'CALL_OUTCOME_');
const serviceTier = enumText(ServiceTier, 'SERVICE_TIER_');

const cost = ({ cost: text }: UsageFocusRow): string => text;
const provider = ({ provider: name }: UsageFocusRow): string => name;
const time = ({ seconds }: Timestamp): string => focusTime(Number(seconds));
const tokens = ({ counts }: UsageFocusRow): string => (counts?.totalTokens ? String(counts.totalTokens) : '');

/** What sums can say. The others of the columns of charges are null. */
const TEXTS: Readonly<Record<string, (row: UsageFocusRow) => string>> = {
  BilledCost: cost,
  BillingAccountId: ({ group }) => group.userProfile,
  BillingCurrency: ({ currency }) => currency,
  BillingPeriodEnd: ({ start, zone }) => time(timestampOfZoned(windowEnd(zoned(start, zone), 'month'))),
  BillingPeriodStart: ({ start, zone }) => time(timestampOfZoned(windowStart(zoned(start, zone), 'month'))),
  ChargeCategory: () => 'Usage',
  ChargeDescription: ({ service, group }) =>
    [service, group.model].filter((text) => text !== '').join(' of '),
  ChargeFrequency: () => 'Usage-Based',
  ChargePeriodEnd: ({ end }) => time(end),
  ChargePeriodStart: ({ start }) => time(start),
  ConsumedQuantity: tokens,
  ConsumedUnit: (row) => (tokens(row) === '' ? '' : 'Tokens'),
  ContractedCost: cost,
  EffectiveCost: cost,
  HostProviderName: provider,
  InvoiceIssuerName: provider,
  ListCost: cost,
  RegionId: ({ group }) => group.region,
  RegionName: ({ group }) => group.region,
  ServiceCategory: () => 'AI and Machine Learning',
  ServiceName: ({ service }) => service,
  ServiceProviderName: provider,
  ServiceSubcategory: ({ group }) =>
    group.chargeType === ChargeType.CHARGE_TYPE_COMPLETION
      ? 'Generative AI'
      : 'Other (AI and Machine Learning)',
  Tags: ({ group }) => labelText(new Map([...group.labels].filter(([, value]) => value !== ''))),
};

/** The columns of FOCUS that exported charges have, and then those of this program. */
export const USAGE_FOCUS_COLUMNS: readonly FocusColumn<UsageFocusRow>[] = [
  ...FOCUS_COLUMNS.map(([name]) => name)
    .filter((name) => !name.startsWith('x_'))
    .map((name): FocusColumn<UsageFocusRow> => [name, TEXTS[name] ?? (() => '')]),
  ['x_AsOfSequence', ({ asOf }) => String(asOf)],
  ['x_CallOutcome', ({ group }) => callOutcome(group.callOutcome)],
  ['x_Charges', count(({ charges }) => charges)],
  ['x_CompletionTokens', count(({ completionTokens }) => completionTokens)],
  ['x_ModelId', ({ group }) => group.model],
  ['x_PromptTokens', count(({ promptTokens }) => promptTokens)],
  ['x_Reference', ({ group }) => group.reference],
  ['x_ServiceTier', ({ group }) => serviceTier(group.serviceTier)],
  ['x_SessionKey', ({ group }) => group.sessionKey],
  ['x_UnpricedCharges', count(({ unpricedCharges }) => unpricedCharges)],
];

function count(of: (row: UsageRow) => bigint): (row: UsageFocusRow) => string {
  return ({ counts }) => (counts ? String(of(counts)) : '');
}

/** Opens the format. The question is by user, provider and type, in windows. */
export function usageFocusFormat({ zone }: QuestionOptions, asOf: bigint): LineFormat<UsageRow> {
  const labelOf = readLabels();
  return {
    head: csvLines([USAGE_FOCUS_COLUMNS.map(([name]) => name)]),
    lines: (rows) =>
      csvLines(
        rows
          .flatMap((row) => focusRows(row, labelOf).map((focus) => ({ ...focus, zone, asOf })))
          .map((row) => USAGE_FOCUS_COLUMNS.map(([, text]) => text(row))),
      ),
  };
}

function focusRows(row: UsageRow, labelOf: LabelOf): Omit<UsageFocusRow, 'zone' | 'asOf'>[] {
  const { windowStart: start, windowEnd: end, group = UsageGroup.fromPartial({}), costs } = row;
  if (!start || !end) throw new TypeError('sums of a window without its times');
  const base = {
    group,
    start,
    end,
    provider: group.otherProvider || labelOf('Provider', group.provider),
    service: labelOf('ChargeType', group.chargeType),
  };
  if (costs.length === 0) return [{ ...base, cost: '', currency: '', counts: row }];
  return costs.map(({ currencyCode, nanos }, index) => ({
    ...base,
    cost: decimalText(nanos, 9),
    currency: currencyCode,
    counts: index === 0 ? row : undefined,
  }));
}
