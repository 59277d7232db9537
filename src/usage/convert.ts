/** Converts between messages of `charge.v1` and the domain's questions and answers. Nothing else does. */

import type { CallOutcome, ChargeType, Provider } from '../../generated/charge/v1/charge.ts';
import type { ServiceTier } from '../../generated/charge/v1/money.ts';
import type {
  UsageGroup,
  UsageQuery as ProtoUsageQuery,
  UsageRow as ProtoUsageRow,
} from '../../generated/charge/v1/usage_service.ts';
import { fromProtoChargeFilter } from '../charges/index.ts';
import { toProtoTimestamp } from '../grpc/timestamp.ts';
import {
  DIMENSION,
  type GroupValue,
  ORDER,
  QUANTITY_COLUMNS,
  type UsageQuery,
  type UsageRow,
  type UsageSums,
} from './usage.ts';

/** A question that satisfies the contract's rules. */
export function fromProtoUsageQuery(query: ProtoUsageQuery | undefined): UsageQuery {
  if (query === undefined) throw new TypeError('a request without a question passed validation');
  return {
    filter: fromProtoChargeFilter(query.filter),
    groupBy: query.groupBy,
    groupByLabels: query.groupByLabels,
    groupByUserProfileLabels: query.groupByUserProfileLabels,
    window: query.window,
    timeZone: query.timeZone || 'UTC',
    orderBy: query.orderBy || ORDER.window,
    currencyCode: query.currencyCode,
    fill: query.fill,
    readMask: query.readMask ?? [],
    asOfSequence: query.asOfSequence,
  };
}

/** The message of a row. `bounds`: where the windows of the question begin and end; undefined: there are none. */
export function toProtoUsageRow(
  query: UsageQuery,
  bounds: readonly bigint[] | undefined,
  { window, group, sums, costs, reportedCosts }: UsageRow,
): ProtoUsageRow {
  const { startTimeMicros, endTimeMicros } = query.filter;
  const start = bounds?.[window - 1] ?? startTimeMicros;
  const end = bounds?.[window] ?? endTimeMicros;
  return {
    windowStart: start === undefined ? undefined : toProtoTimestamp(start),
    windowEnd: end === undefined ? undefined : toProtoTimestamp(end),
    group: toProtoGroup(query, group),
    charges: sums.charges,
    unpricedCharges: sums.unpriced_charges,
    promptTokens: sums.prompt_tokens,
    completionTokens: sums.completion_tokens,
    totalTokens: sums.total_tokens,
    tokenDetails: toProtoTokenDetails(sums),
    quantities: [...QUANTITY_COLUMNS].flatMap(([kind, column]) =>
      sums[column] === 0n ? [] : [{ kind: kind, amount: sums[column] }],
    ),
    costs: toProtoAmounts(costs),
    reportedCosts: toProtoAmounts(reportedCosts),
  };
}

function toProtoTokenDetails(sums: UsageSums) {
  return {
    cacheReadTokens: sums.cache_read_tokens,
    cacheWrite5mTokens: sums.cache_write_5m_tokens,
    cacheWrite1hTokens: sums.cache_write_1h_tokens,
    reasoningTokens: sums.reasoning_tokens,
    audioInputTokens: sums.audio_input_tokens,
    audioOutputTokens: sums.audio_output_tokens,
    imageInputTokens: sums.image_input_tokens,
    imageOutputTokens: sums.image_output_tokens,
  };
}

function toProtoAmounts(amounts: ReadonlyMap<string, bigint>) {
  return [...amounts].map(([currencyCode, nanos]) => ({ currencyCode, nanos }));
}

function toProtoGroup(
  { groupBy, groupByLabels, groupByUserProfileLabels }: UsageQuery,
  values: readonly GroupValue[],
): UsageGroup {
  const group: UsageGroup = {
    userProfile: '',
    provider: 0,
    otherProvider: '',
    model: '',
    chargeType: 0,
    sessionKey: '',
    reference: '',
    serviceTier: 0,
    region: '',
    callOutcome: 0,
    labels: new Map(),
    userProfileLabels: new Map(),
  };
  const rest = values.values();
  const next = (): GroupValue => rest.next().value ?? '';
  for (const dimension of groupBy) SET_MEMBER[dimension]?.(group, next);
  for (const key of groupByLabels) group.labels.set(key, String(next()));
  for (const key of groupByUserProfileLabels) group.userProfileLabels.set(key, String(next()));
  return group;
}

/** Takes the values of a dimension, in the order of its columns. Stored numbers are always defined ones. */
const SET_MEMBER: Readonly<Record<number, (group: UsageGroup, next: () => GroupValue) => void>> = {
  [DIMENSION.userProfile]: (group, next) => (group.userProfile = String(next())),
  [DIMENSION.provider]: (group, next) => {
    group.provider = next() as Provider;
    group.otherProvider = String(next());
  },
  [DIMENSION.model]: (group, next) => (group.model = String(next())),
  [DIMENSION.chargeType]: (group, next) => (group.chargeType = next() as ChargeType),
  [DIMENSION.sessionKey]: (group, next) => (group.sessionKey = String(next())),
  [DIMENSION.reference]: (group, next) => (group.reference = String(next())),
  [DIMENSION.serviceTier]: (group, next) => (group.serviceTier = next() as ServiceTier),
  [DIMENSION.region]: (group, next) => (group.region = String(next())),
  [DIMENSION.callOutcome]: (group, next) => (group.callOutcome = next() as CallOutcome),
};
