/**
 * Opaque page tokens: a place in a list, bound to the list that it belongs to.
 *
 * A token is neither a secret nor a credential: whoever forges one sees only a page of their own tenant. The digest
 * makes a damaged token, or one of another list, an error instead of a wrong page.
 */

import { hash } from 'node:crypto';

import { pageTokenInvalid, ServiceError } from '../errors/failure.ts';

const DIGEST_BYTES = 20;

/** The token for a place in the list that `identity` describes completely: tenant, filter, order and so on. */
export function sealPageToken(place: Buffer, identity: unknown): string {
  return Buffer.concat([place, digest(place, identity)]).toString('base64url');
}

/**
 * The place of `placeBytes` bytes, or of any length if undefined, that a token names. Throws `page_token_invalid` for a
 * token of anything else.
 */
export function openPageToken(text: string, placeBytes: number | undefined, identity: unknown): Buffer {
  const token = Buffer.from(text, 'base64url');
  const place = token.subarray(0, placeBytes ?? Math.max(0, token.length - DIGEST_BYTES));
  if (
    token.length !== place.length + DIGEST_BYTES ||
    (placeBytes !== undefined && place.length !== placeBytes) ||
    token.toString('base64url') !== text ||
    !digest(place, identity).equals(token.subarray(place.length))
  ) {
    throw new ServiceError(pageTokenInvalid());
  }
  return place;
}

function digest(place: Buffer, identity: unknown): Buffer {
  const text = JSON.stringify([place.toString('base64'), identity]);
  return hash('sha256', text, 'buffer').subarray(0, DIGEST_BYTES);
}
