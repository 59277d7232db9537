/** Page tokens of QueryUsage: the last row of the page before, and the sequence that all pages are as of. */

import { pageTokenInvalid, ServiceError } from '../../errors/failure.ts';
import { openPageToken, sealPageToken } from '../../grpc/page-token.ts';
import { DIMENSION, type GroupValue, type UsagePlace, type UsageQuery } from '../usage.ts';
import { WINDOWS_MAX } from '../windows.ts';

/** Where an answer goes on. */
export interface UsagePageStart {
  readonly asOfSequence: bigint;
  readonly after: UsagePlace;
}

/** The token that continues there. */
export function encodePageToken(
  tenant: string,
  query: UsageQuery,
  { asOfSequence, after }: UsagePageStart,
): string {
  const { measure, window, group } = after;
  const place = JSON.stringify([String(asOfSequence), String(measure), window, group]);
  return sealPageToken(Buffer.from(place), identityOf(tenant, query));
}

/** Where a token of this question continues; throws `page_token_invalid` for any other token. */
export function decodePageToken(tenant: string, query: UsageQuery, text: string): UsagePageStart {
  const place = openPageToken(text, undefined, identityOf(tenant, query));
  try {
    // Anybody can make a token with a right digest, of anything.
    const [asOf, measure, window, group] = JSON.parse(place.toString()) as [
      string,
      string,
      number,
      GroupValue[],
    ];
    const asOfSequence = BigInt(asOf);
    const isNumber = BigInt.asIntN(64, asOfSequence) === asOfSequence && asOfSequence >= 0n;
    if (!isNumber || !isWithin(window, WINDOWS_MAX) || !isGroupOf(query, group)) {
      throw new TypeError('not a place');
    }
    return { asOfSequence, after: { measure: BigInt(measure), window, group } };
  } catch {
    throw new ServiceError(pageTokenInvalid());
  }
}

const SMALLINT_MAX = 32_767;
/** The dimensions whose values are numbers; PROVIDER has a text after it. */
const NUMBERS: ReadonlySet<number> = new Set([
  DIMENSION.provider,
  DIMENSION.chargeType,
  DIMENSION.serviceTier,
  DIMENSION.callOutcome,
]);

/** Whether a group has the values that the question groups by. */
function isGroupOf(
  { groupBy, groupByLabels, groupByUserProfileLabels }: UsageQuery,
  group: readonly GroupValue[],
): boolean {
  const types = [
    ...groupBy.flatMap((dimension) => [
      NUMBERS.has(dimension) ? 'number' : 'string',
      ...(dimension === DIMENSION.provider ? ['string'] : []),
    ]),
    ...[...groupByLabels, ...groupByUserProfileLabels].map(() => 'string'),
  ];
  return (
    group.length === types.length &&
    group.every((value, index) => typeof value === types[index] && isStorable(value))
  );
}

function isStorable(value: GroupValue): boolean {
  return typeof value === 'number' ? isWithin(value, SMALLINT_MAX) : !value.includes('\0');
}

function isWithin(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max;
}

function identityOf(tenant: string, query: UsageQuery): unknown {
  const { filter, asOfSequence, ...others } = query;
  const { startTimeMicros, endTimeMicros, labels, userProfileLabels, ...equalities } = filter;
  return [
    'QueryUsage',
    tenant,
    others,
    equalities,
    sorted(labels),
    sorted(userProfileLabels),
    [startTimeMicros, endTimeMicros, asOfSequence].map(String),
  ];
}

function sorted(labels: ReadonlyMap<string, string> = new Map()): unknown {
  return [...labels].sort(([a], [b]) => (a < b ? -1 : 1));
}
