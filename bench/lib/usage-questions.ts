/** Questions about usage, for the service and in plain SQL over the charges. */

import {
  UsageDimension,
  UsageOrder,
  UsageQuery,
  UsageWindow,
} from '../../generated/charge/v1/usage_service.ts';
import type { Book } from './books.ts';

/** Usage by model and day. */
export interface Question {
  readonly name: string;
  /** Undefined: of everybody. */
  readonly userProfile: string | undefined;
  /** Unix times in milliseconds. */
  readonly startMs: number;
  readonly endMs: number;
  readonly timeZone: string;
}

/** The one with the most charges: 2.4 %. */
const HEAVIEST_USER = 'user-00001';
const KOLKATA = 'Asia/Kolkata';
const KOLKATA_OFFSET_MS = 5.5 * 3_600_000;

/** The last whole month of the heaviest user, in two zones, and the whole book. */
export function questionsOf({ endMs }: Book): Question[] {
  const end = new Date(endMs);
  const monthStartMs = (back: number): number => Date.UTC(end.getUTCFullYear(), end.getUTCMonth() - back, 1);
  const month = { userProfile: HEAVIEST_USER, startMs: monthStartMs(1), endMs: monthStartMs(0) };
  return [
    { ...month, name: 'user_month', timeZone: 'UTC' },
    {
      ...month,
      name: 'user_month_kolkata',
      startMs: month.startMs - KOLKATA_OFFSET_MS,
      endMs: month.endMs - KOLKATA_OFFSET_MS,
      timeZone: KOLKATA,
    },
    { ...everythingOf(endMs), name: 'everything' },
  ];
}

/** The heaviest question: everything by model and day. */
export function everythingOf(endMs: number): Question {
  const end = new Date(endMs);
  return {
    name: 'everything',
    userProfile: undefined,
    startMs: Date.UTC(end.getUTCFullYear() - 1, end.getUTCMonth() - 2, 1),
    endMs: endMs + 24 * 3_600_000,
    timeZone: 'UTC',
  };
}

/** The sums of the short statement. */
const SHORT = ['charges', 'unpriced_charges', 'prompt_tokens', 'completion_tokens', 'total_tokens', 'costs'];

/** As the contract asks it: with every sum if `complete`, or with those of the short statement. */
export function toUsageQuery(
  { userProfile, startMs, endMs, timeZone }: Question,
  complete: boolean,
): UsageQuery {
  return UsageQuery.fromPartial({
    filter: {
      userProfile: userProfile ?? '',
      startTime: { seconds: BigInt(startMs / 1000), nanos: 0 },
      endTime: { seconds: BigInt(endMs / 1000), nanos: 0 },
    },
    groupBy: [UsageDimension.USAGE_DIMENSION_PROVIDER, UsageDimension.USAGE_DIMENSION_MODEL],
    window: UsageWindow.USAGE_WINDOW_DAY,
    timeZone: timeZone,
    orderBy: UsageOrder.USAGE_ORDER_WINDOW,
    readMask: complete ? undefined : SHORT,
  });
}

/** A statement with its parameters and with settings that make it faster than PostgreSQL's defaults. */
export interface PlainQuestion {
  readonly name: string;
  readonly settings: string;
  readonly text: string;
  readonly values: readonly (string | undefined)[];
}

/**
 * The best plain SQL that was found. It counts what counts, with the latest costs, and has a row for each currency.
 * `complete` adds every sum that the service has; without it, these are the sums that people ask for first.
 *
 * Corrections and revisions are joined as wholes: for the heaviest user's month that is as fast as a look-up for each
 * charge, and for everything far faster. PostgreSQL expects as many groups as charges and would sort all of them.
 */
export function toPlainSql(question: Question, complete: boolean): PlainQuestion {
  const { name, userProfile, startMs, endMs, timeZone } = question;
  const sums = complete ? [...SUMS, ...MORE_SUMS] : SUMS;
  return {
    name: `${name}${complete ? '_complete' : ''}`,
    settings: `SET work_mem = '256MB'; SET enable_sort = ${userProfile === undefined ? 'off' : 'on'}`,
    text: `
WITH latest AS (
  SELECT DISTINCT ON (charge_id) charge_id, cost_nanos, cost_currency
  FROM cost_revision WHERE tenant = 'default' ORDER BY charge_id, revision DESC
)
SELECT extract(epoch FROM ${dayStart(timeZone)}) AS day, provider, other_provider, model,
  CASE WHEN latest.charge_id IS NULL THEN charge.cost_currency ELSE latest.cost_currency END AS currency,
  ${complete ? 'reported_cost_currency' : 'NULL'} AS reported_currency,
  ${sums.map(([alias, expression]) => `${expression} AS ${alias}`).join(', ')}
FROM charge LEFT JOIN latest ON latest.charge_id = charge.id
WHERE charge.tenant = 'default' AND usage_time >= $1 AND usage_time < $2
  ${userProfile === undefined ? '' : 'AND user_profile = $3'}
  AND NOT EXISTS (SELECT FROM correction WHERE correction.tenant = 'default' AND correction.charge_id = charge.id)
GROUP BY 1, 2, 3, 4, 5, 6`,
    values: [
      new Date(startMs).toISOString(),
      new Date(endMs).toISOString(),
      ...(userProfile === undefined ? [] : [userProfile]),
    ],
  };
}

/** `date_bin` takes half the time of the functions that know zones, and both zones always have days of 24 hours. */
function dayStart(timeZone: string): string {
  const origin = timeZone === KOLKATA ? '2000-01-01 00:00+05:30' : '2000-01-01 00:00+00';
  return `date_bin('1 day', usage_time, '${origin}')`;
}

const SUMS = [
  ['charges', 'count(*)'],
  ['prompt', 'sum(prompt_tokens)'],
  ['completion', 'sum(completion_tokens)'],
  ['total', 'sum(total_tokens)'],
  ['cost', 'sum(CASE WHEN latest.charge_id IS NULL THEN charge.cost_nanos ELSE latest.cost_nanos END)'],
] as const;

const MORE_SUMS = [
  ['cache_read', 'sum(cache_read_tokens)'],
  ['cache_write_5m', 'sum(cache_write_5m_tokens)'],
  ['cache_write_1h', 'sum(cache_write_1h_tokens)'],
  ['reasoning', 'sum(reasoning_tokens)'],
  ['audio_input', 'sum(audio_input_tokens)'],
  ['audio_output', 'sum(audio_output_tokens)'],
  ['image_input', 'sum(image_input_tokens)'],
  ['image_output', 'sum(image_output_tokens)'],
  ['searches', `sum((quantities->>'20')::bigint)`],
  ['reported', 'sum(reported_cost_nanos)'],
] as const;
