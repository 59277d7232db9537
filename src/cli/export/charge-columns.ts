/** The columns of exported charges: what each holds, and how it is read back. */

import {
  CallOutcome,
  ChargeState,
  ChargeType,
  Provider,
  TokenDetails,
  type Charge,
} from '../../../generated/charge/v1/charge.ts';
import { CostStatus, ServiceTier, UnpricedReason, UsageKind } from '../../../generated/charge/v1/money.ts';
import type { Item } from './item.ts';
import { labelText, readLabelText } from './label-text.ts';
import { enumText, readCount, type Column, type ColumnKind, type EnumOf } from '../cell-text.ts';
import { parseScaled } from '../money.ts';
import { microsOf, timestampOf } from '../time.ts';
import { parseTimestamp } from '../import/timestamp.ts';
import { quote } from '../import/values.ts';

/** A column of exported charges. */
export interface ChargeColumn extends Column<Item> {
  /**
   * Puts the text of a cell that is not empty into a charge. Throws an Error that says what is wrong with it. Absent:
   * the server sets the field.
   */
  readonly read?: (charge: Charge, text: string) => void;
}

type TextField = 'userProfile' | 'sessionKey' | 'otherProvider' | 'model' | 'reference' | 'region';
type CountField = 'promptTokens' | 'completionTokens' | 'totalTokens';
type EnumField = 'provider' | 'chargeType' | 'serviceTier' | 'callOutcome';

function text(name: string, field: TextField): ChargeColumn {
  return {
    name,
    kind: 'text',
    value: ({ charge }) => charge[field],
    read: (charge, cell) => void (charge[field] = cell),
  };
}

function count(name: string, field: CountField): ChargeColumn {
  return {
    name,
    kind: 'count',
    value: ({ charge }) => charge[field],
    read: (charge, cell) => void (charge[field] = readCount(cell)),
  };
}

/** A part of the token counts. It has no value if nothing is known about the parts. */
function detail(name: string, field: keyof TokenDetails): ChargeColumn {
  return {
    name,
    kind: 'count',
    value: ({ charge }) => charge.tokenDetails?.[field],
    read: (charge, cell) => {
      charge.tokenDetails ??= TokenDetails.fromPartial({});
      charge.tokenDetails[field] = readCount(cell);
    },
  };
}

function quantity(name: string, kind: UsageKind): ChargeColumn {
  return {
    name,
    kind: 'count',
    value: ({ charge }) => charge.quantities.find((one) => one.kind === kind)?.amount,
    read: (charge, cell) => void charge.quantities.push({ kind, amount: readCount(cell) }),
  };
}

function enumeration(name: string, field: EnumField, values: EnumOf, prefix: string): ChargeColumn {
  const text = enumText(values, prefix);
  return {
    name,
    kind: 'text',
    value: ({ charge }) => text(charge[field]),
    read: (charge, cell) => {
      const value = values[prefix + cell] ?? (/^\d{1,9}$/.test(cell) ? Number(cell) : undefined);
      if (value === undefined) throw new Error(`${quote(cell)} is no ${name} of the contract`);
      charge[field] = value as never;
    },
  };
}

function shown(
  name: string,
  kind: ColumnKind,
  value: (charge: Charge) => string | bigint | undefined,
): ChargeColumn {
  return { name, kind, value: ({ charge }) => value(charge) };
}

const moneyOf = (charge: Charge) => (charge.reportedCost ??= { currencyCode: '', nanos: 0n });

/** What the caller has said, which an import reads back. */
const CONTENT: readonly ChargeColumn[] = [
  text('user_profile', 'userProfile'),
  text('session_key', 'sessionKey'),
  enumeration('provider', 'provider', Provider, 'PROVIDER_'),
  text('other_provider', 'otherProvider'),
  enumeration('charge_type', 'chargeType', ChargeType, 'CHARGE_TYPE_'),
  text('model', 'model'),
  count('prompt_tokens', 'promptTokens'),
  count('completion_tokens', 'completionTokens'),
  count('total_tokens', 'totalTokens'),
  detail('cache_read_tokens', 'cacheReadTokens'),
  detail('cache_write_5m_tokens', 'cacheWrite5mTokens'),
  detail('cache_write_1h_tokens', 'cacheWrite1hTokens'),
  detail('reasoning_tokens', 'reasoningTokens'),
  detail('audio_input_tokens', 'audioInputTokens'),
  detail('audio_output_tokens', 'audioOutputTokens'),
  detail('image_input_tokens', 'imageInputTokens'),
  detail('image_output_tokens', 'imageOutputTokens'),
  quantity('search_queries', UsageKind.USAGE_KIND_SEARCH_QUERY),
  quantity('input_images', UsageKind.USAGE_KIND_INPUT_IMAGE),
  quantity('output_images', UsageKind.USAGE_KIND_OUTPUT_IMAGE),
  quantity('input_milliseconds', UsageKind.USAGE_KIND_INPUT_MILLISECOND),
  quantity('output_milliseconds', UsageKind.USAGE_KIND_OUTPUT_MILLISECOND),
  quantity('input_characters', UsageKind.USAGE_KIND_INPUT_CHARACTER),
  quantity('output_characters', UsageKind.USAGE_KIND_OUTPUT_CHARACTER),
  enumeration('service_tier', 'serviceTier', ServiceTier, 'SERVICE_TIER_'),
  text('region', 'region'),
  text('reference', 'reference'),
  enumeration('call_outcome', 'callOutcome', CallOutcome, 'CALL_OUTCOME_'),
  {
    name: 'labels',
    kind: 'text',
    value: ({ charge }) => labelText(charge.labels),
    read: (charge, cell) => void (charge.labels = readLabelText(cell)),
  },
  {
    name: 'usage_time',
    kind: 'micros',
    value: ({ charge }) => charge.usageTime && microsOf(charge.usageTime),
    read: (charge, cell) => {
      const time = parseTimestamp(cell);
      if (!time) throw new Error(`${quote(cell)} is not a time such as 2026-09-01T10:00:00Z`);
      charge.usageTime = timestampOf(microsOf(time));
    },
  },
  {
    name: 'reported_cost',
    kind: 'nanos',
    value: ({ charge }) => charge.reportedCost?.nanos,
    read: (charge, cell) => {
      const scaled = parseScaled(cell, 9);
      if (typeof scaled === 'string') throw new Error(`${quote(cell)} ${scaled}`);
      if (scaled.isRounded) throw new Error(`${quote(cell)} has more than 9 decimals`);
      moneyOf(charge).nanos = scaled.value;
    },
  },
  {
    name: 'reported_currency',
    kind: 'text',
    value: ({ charge }) => charge.reportedCost?.currencyCode,
    read: (charge, cell) => void (moneyOf(charge).currencyCode = cell),
  },
];

const costStatus = enumText(CostStatus, 'COST_STATUS_');
const unpricedReason = enumText(UnpricedReason, 'UNPRICED_REASON_');
const usageKind = enumText(UsageKind, 'USAGE_KIND_');
const chargeState = enumText(ChargeState, 'CHARGE_STATE_');

/** What the server has set. */
const SET_BY_SERVER: readonly ChargeColumn[] = [
  shown('cost', 'nanos', ({ cost }) => cost?.amount?.nanos),
  shown('cost_currency', 'text', ({ cost }) => cost?.amount?.currencyCode),
  shown('cost_status', 'text', ({ cost }) => costStatus(cost?.status ?? 0)),
  shown('unpriced_reason', 'text', ({ cost }) => unpricedReason(cost?.unpricedReason ?? 0)),
  shown('unpriced_kinds', 'text', ({ cost }) => (cost?.unpricedKinds ?? []).map(usageKind).join(' ')),
  shown('price_version', 'count', ({ cost }) => cost?.priceVersion),
  shown('cost_revision', 'count', ({ cost }) => cost && BigInt(cost.revision)),
  shown('state', 'text', ({ state }) => chargeState(state)),
  shown('amends', 'text', ({ amends }) => amends),
  shown('replaced_by', 'text', ({ replacedBy }) => replacedBy),
  shown('import_id', 'text', ({ importId }) => importId),
  shown('create_time', 'micros', ({ createTime }) => createTime && microsOf(createTime)),
  shown('update_time', 'micros', ({ updateTime }) => updateTime && microsOf(updateTime)),
];

/** All columns in the order of a file. New ones are added at the end. */
export const CHARGE_COLUMNS: readonly ChargeColumn[] = [
  { name: 'request_id', kind: 'text', value: ({ requestId }) => requestId },
  shown('id', 'text', ({ id }) => id),
  ...CONTENT,
  ...SET_BY_SERVER,
];

/** The columns that an import reads. */
export const CONTENT_COLUMNS: readonly ChargeColumn[] = CONTENT;
