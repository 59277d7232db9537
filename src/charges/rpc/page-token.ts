/**
 * Opaque page tokens: a place in a list, bound to the tenant, the filter and the order of the call
 * that made it.
 *
 * A token is neither a secret nor a credential. It holds the usage time and the id of the last charge on
 * the page before, and whoever forges one sees only a page of their own tenant. The digest makes a damaged
 * token, or one of another list, an error instead of a wrong page.
 */

import { hash } from 'node:crypto';

import { isWellFormedTimestamp, toProtoTimestamp } from '../../grpc/timestamp.ts';
import type { ChargeFilter, ListPosition } from '../charge.ts';
import { ServiceError } from '../../errors/failure.ts';
import { pageTokenInvalid } from '../errors.ts';
import type { ListQuery } from '../ports.ts';

/** The list that a token belongs to. */
export interface ListIdentity {
  readonly tenant: string;
  readonly filter: ChargeFilter;
  readonly order: ListQuery['order'];
  readonly includeCorrected: boolean;
}

// version 1, usage time 8, id 16, digest 20: a multiple of three, so base64 has no spare bits.
const VERSION = 1;
const TIME_AT = 1;
const ID_AT = 9;
const DIGEST_AT = 25;
const TOKEN_BYTES = 45;
const DIGEST_BYTES = TOKEN_BYTES - DIGEST_AT;

/** The token that continues `list` after `position`. */
export function encodePageToken(list: ListIdentity, position: ListPosition): string {
  const token = Buffer.alloc(TOKEN_BYTES);
  token.writeUInt8(VERSION, 0);
  token.writeBigInt64BE(position.usageTimeMicros, TIME_AT);
  token.write(position.id.replaceAll('-', ''), ID_AT, 'hex');
  digest(list, token.subarray(0, DIGEST_AT)).copy(token, DIGEST_AT);
  return token.toString('base64url');
}

/** The place in `list` that a token names; throws `page_token_invalid` for any other token. */
export function decodePageToken(list: ListIdentity, text: string): ListPosition {
  const token = Buffer.from(text, 'base64url');
  const whole = token.length === TOKEN_BYTES && token.toString('base64url') === text;
  if (
    !whole ||
    token.readUInt8(0) !== VERSION ||
    !digest(list, token.subarray(0, DIGEST_AT)).equals(token.subarray(DIGEST_AT))
  ) {
    throw new ServiceError(pageTokenInvalid());
  }
  const usageTimeMicros = token.readBigInt64BE(TIME_AT);
  // Anybody can make a token with a right digest, also one with a time that PostgreSQL cannot read.
  if (!isWellFormedTimestamp(toProtoTimestamp(usageTimeMicros))) {
    throw new ServiceError(pageTokenInvalid());
  }
  const hex = token.toString('hex', ID_AT, DIGEST_AT);
  return {
    usageTimeMicros,
    id: hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
  };
}

function digest({ tenant, filter, order, includeCorrected }: ListIdentity, position: Buffer): Buffer {
  const { startTimeMicros, endTimeMicros, labels } = filter;
  const identity = JSON.stringify([
    position.toString('base64'),
    tenant,
    order,
    includeCorrected,
    filter.userProfile ?? '',
    filter.sessionKey ?? '',
    filter.provider ?? 0,
    filter.chargeType ?? 0,
    filter.model ?? '',
    filter.reference ?? '',
    filter.importId ?? '',
    [...(labels ?? [])].sort(([a], [b]) => (a < b ? -1 : 1)),
    startTimeMicros?.toString() ?? '',
    endTimeMicros?.toString() ?? '',
  ]);
  return hash('sha256', identity, 'buffer').subarray(0, DIGEST_BYTES);
}
