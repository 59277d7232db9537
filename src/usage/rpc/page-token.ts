/** Page tokens of QueryUsage: the last row of the page before, and the sequence that all pages are as of. */

import { pageTokenInvalid, ServiceError } from '../../errors/failure.ts';
import { openPageToken, sealPageToken } from '../../grpc/page-token.ts';
import type { GroupValue, UsagePlace, UsageQuery } from '../usage.ts';

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
    if (!Number.isInteger(window) || !Array.isArray(group)) throw new TypeError('not a place');
    return { asOfSequence: BigInt(asOf), after: { measure: BigInt(measure), window, group } };
  } catch {
    throw new ServiceError(pageTokenInvalid());
  }
}

function identityOf(tenant: string, query: UsageQuery): unknown {
  const { filter, asOfSequence, ...others } = query;
  const { startTimeMicros, endTimeMicros, labels, ...equalities } = filter;
  return [
    'QueryUsage',
    tenant,
    others,
    equalities,
    [...(labels ?? [])].sort(([a], [b]) => (a < b ? -1 : 1)),
    [startTimeMicros, endTimeMicros, asOfSequence].map(String),
  ];
}
