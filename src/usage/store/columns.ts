/** The columns of sums, and how charges make them. */

import { SERVICE_TIER_STANDARD } from '../../charges/index.ts';
import { columnsOf, DIMENSION, QUANTITY_COLUMNS, type UsageQuery } from '../usage.ts';

/** A column that rows are grouped by, with its SQL over a charge. */
export interface DimensionColumn {
  /** Its name in the table of sums; of a label: its name in a statement. */
  readonly name: string;
  readonly ofCharge: string;
  /** Its SQL over a kept sum, if that is not the column of its name. */
  readonly ofSum?: string;
  readonly type: 'text' | 'smallint';
}

const text = (name: string, ofCharge = `coalesce(charge.${name}, '')`): DimensionColumn => ({
  name,
  ofCharge,
  type: 'text',
});
const smallint = (name: string, ofCharge = `charge.${name}`): DimensionColumn => ({
  name,
  ofCharge,
  type: 'smallint',
});

const USER_PROFILE = text('user_profile', 'charge.user_profile');

/** The columns of each dimension, by its number. */
export const DIMENSION_COLUMNS: ReadonlyMap<number, readonly DimensionColumn[]> = new Map([
  [DIMENSION.userProfile, [USER_PROFILE]],
  [DIMENSION.provider, [smallint('provider'), text('other_provider')]],
  [DIMENSION.model, [text('model')]],
  [DIMENSION.chargeType, [smallint('charge_type')]],
  [DIMENSION.sessionKey, [text('session_key')]],
  [DIMENSION.reference, [text('reference')]],
  [
    DIMENSION.serviceTier,
    [smallint('service_tier', `coalesce(charge.service_tier, ${SERVICE_TIER_STANDARD})::smallint`)],
  ],
  [DIMENSION.region, [text('region')]],
  [DIMENSION.callOutcome, [smallint('call_outcome', 'coalesce(charge.call_outcome, 0)::smallint')]],
]);

/** The column of a label's value; `place` tells the labels of a question apart, from 0 on. */
export function labelColumn(place: number): DimensionColumn {
  return text(`label_${place}`, `coalesce(charge.labels ->> :labelKey${place}, '') COLLATE "C"`);
}

/** The column of the value of a user profile's label, over a relation `profile`; see {@link labelColumn}. */
export function userProfileLabelColumn(place: number): DimensionColumn {
  const value = `coalesce(profile.labels ->> :userProfileLabelKey${place}, '') COLLATE "C"`;
  return { ...text(`user_profile_label_${place}`, value), ofSum: value };
}

const ROLLUP_DIMENSIONS = [
  DIMENSION.model,
  DIMENSION.provider,
  DIMENSION.chargeType,
  DIMENSION.serviceTier,
  DIMENSION.region,
  DIMENSION.callOutcome,
].flatMap((dimension) => DIMENSION_COLUMNS.get(dimension) ?? []);

/** The currencies of the sums of costs. */
export const CURRENCY_COLUMNS = [text('cost_currency'), text('reported_cost_currency')];

/** What kept sums are apart by, besides their time and the user profile. */
export const KEYS = [...ROLLUP_DIMENSIONS, ...CURRENCY_COLUMNS];
/** The same as a select list. */
export const KEY_NAMES = KEYS.map(({ name }) => name).join(', ');

const TOKEN_COLUMNS = [
  'prompt_tokens',
  'completion_tokens',
  'total_tokens',
  'cache_read_tokens',
  'cache_write_5m_tokens',
  'cache_write_1h_tokens',
  'reasoning_tokens',
  'audio_input_tokens',
  'audio_output_tokens',
  'image_input_tokens',
  'image_output_tokens',
] as const;
const AMOUNT_COLUMNS = ['cost_nanos', 'reported_cost_nanos'] as const;

/** Each sum, with what one charge of a relation `charge` adds to it, in SQL. */
export const SUMS: readonly { readonly name: string; readonly ofCharge: string }[] = [
  { name: 'charges', ofCharge: '1' },
  ...[...TOKEN_COLUMNS, ...AMOUNT_COLUMNS].map((name) => ({ name, ofCharge: `charge.${name}` })),
  ...[...QUANTITY_COLUMNS].map(([kind, name]) => ({
    name,
    ofCharge: `(charge.quantities ->> '${kind}')::bigint`,
  })),
];

/** Their columns. */
export const SUM_NAMES = SUMS.map(({ name }) => name);

/** Those of {@link SUMS} that a question needs. */
export function sumsOf(query: UsageQuery): typeof SUMS {
  const columns = columnsOf(query);
  return SUMS.filter(({ name }) => columns.has(name));
}

/**
 * The select list of the sums over a relation `charge`, each charge times a factor. A sum of zeros is NULL: most sums of
 * a group are, and those that the filter leaves nothing of cost PostgreSQL neither memory nor time at the end.
 */
export function sumsOfCharges(factor: string, sums = SUMS): string {
  return sums
    .map(({ name, ofCharge }) => `sum(${factor} * ${ofCharge}) FILTER (WHERE ${ofCharge} <> 0) AS ${name}`)
    .join(', ');
}

/** The select list item that adds up a column of sums, which are NULL instead of 0, in the same way. */
export function sumOfSums(name: string): string {
  return `sum(${name}) FILTER (WHERE ${name} IS NOT NULL) AS ${name}`;
}

/**
 * Where days and quarters of an hour are counted from. It is before every usage time: some releases of PostgreSQL round
 * down by one step too many before the origin.
 */
export const ORIGIN = `'0001-01-01 00:00+00'`;
