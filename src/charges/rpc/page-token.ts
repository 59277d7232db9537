/** Page tokens of methods that walk charges: the usage time and the id of the last charge on the page before. */

import { pageTokenInvalid, ServiceError } from '../../errors/failure.ts';
import { openPageToken, sealPageToken } from '../../grpc/page-token.ts';
import { isWellFormedTimestamp, toProtoTimestamp } from '../../grpc/timestamp.ts';
import type { ChargeFilter, ListPosition } from '../charge.ts';

/** What a token belongs to. */
export interface PageScope {
  readonly tenant: string;
  readonly filter: ChargeFilter;
  /** The name of the method, and what else of its requests decides which charges come in which order. */
  readonly options: readonly (string | boolean)[];
}

// version 1, usage time 8, id 16.
const VERSION = 1;
const TIME_AT = 1;
const ID_AT = 9;
const PLACE_BYTES = 25;

/** The token that continues after `position`. */
export function encodePageToken(scope: PageScope, position: ListPosition): string {
  const place = Buffer.alloc(PLACE_BYTES);
  place.writeUInt8(VERSION, 0);
  place.writeBigInt64BE(position.usageTimeMicros, TIME_AT);
  place.write(position.id.replaceAll('-', ''), ID_AT, 'hex');
  return sealPageToken(place, identityOf(scope));
}

/** The place that a token of this scope names; throws `page_token_invalid` for any other token. */
export function decodePageToken(scope: PageScope, text: string): ListPosition {
  const place = openPageToken(text, PLACE_BYTES, identityOf(scope));
  const usageTimeMicros = place.readBigInt64BE(TIME_AT);
  // Anybody can make a token with a right digest, also one with a time that PostgreSQL cannot read.
  if (place.readUInt8(0) !== VERSION || !isWellFormedTimestamp(toProtoTimestamp(usageTimeMicros))) {
    throw new ServiceError(pageTokenInvalid());
  }
  const hex = place.toString('hex', ID_AT);
  return {
    usageTimeMicros,
    id: hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
  };
}

function identityOf({ tenant, filter, options }: PageScope): unknown {
  const { startTimeMicros, endTimeMicros, labels, userProfileLabels } = filter;
  return [
    tenant,
    options,
    filter.userProfile ?? '',
    filter.sessionKey ?? '',
    filter.provider ?? 0,
    filter.chargeType ?? 0,
    filter.model ?? '',
    filter.reference ?? '',
    filter.importId ?? '',
    sorted(labels),
    sorted(userProfileLabels),
    startTimeMicros?.toString() ?? '',
    endTimeMicros?.toString() ?? '',
  ];
}

function sorted(labels: ReadonlyMap<string, string> = new Map()): unknown {
  return [...labels].sort(([a], [b]) => (a < b ? -1 : 1));
}
