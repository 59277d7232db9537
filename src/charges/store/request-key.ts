/**
 * Request ids as UUIDs. The unique key over them is in every write, and most request ids are UUIDs:
 * as text one takes 37 bytes in the row and 37 in the index, as `uuid` 16 and 16.
 */

import { hash } from 'node:crypto';

/** The version of UUIDs that mean what their maker says (RFC 9562): here, the hash of a text. */
const HASHED_VERSION = '8';
const VERSION_AT = 14;

/** A UUID in its usual spelling, of any version but 8, whether or not its variant is the standard's. */
const OWN_KEY = /^[\da-f]{8}-[\da-f]{4}-[0-79a-f][\da-f]{3}-[\da-f]{4}-[\da-f]{12}$/;

/**
 * What stands for the request id of an erased charge, of which only the key is left: who imports an export of it again
 * makes no second charge.
 */
const ERASED_PREFIX = 'erased:';
const ERASED = /^erased:[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;

/** The text of a key whose request id is erased. */
export function erasedRequestId(key: string): string {
  return ERASED_PREFIX + key;
}

/**
 * The key of a request id, the same for ever: a UUID in its usual spelling (lower-case, of any version but 8) is its
 * own key; an {@link erasedRequestId} has the key that it names; any other text has the first 122 bits of its SHA-256,
 * as a UUID of version 8. So the key of a UUID is never the key of another text. Two texts share a key only if their
 * hashes collide, which does not happen in practice.
 */
export function requestKey(requestId: string): string {
  if (OWN_KEY.test(requestId)) return requestId;
  return ERASED.test(requestId) ? requestId.slice(ERASED_PREFIX.length) : hashedKey(requestId);
}

/** Whether the key does not spell its request id out, so that the row has to keep the text. */
export function isHashedKey(key: string): boolean {
  return key[VERSION_AT] === HASHED_VERSION;
}

function hashedKey(text: string): string {
  const hex = hash('sha256', text, 'hex');
  const variant = (0x8 | (parseInt(hex.charAt(16), 16) & 0x3)).toString(16);
  return (
    `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${HASHED_VERSION}${hex.slice(13, 16)}-` +
    `${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
  );
}
