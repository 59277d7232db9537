/**
 * Request ids as 16 bytes. The unique key over them is in every write, and most request ids are
 * UUIDs: as text a UUID takes 37 bytes in the row and 37 in the index, as `uuid` 16 and 16.
 */

import { hash } from 'node:crypto';

const KEY_BYTES = 16;
const TEXT_LENGTH = 36;
/** The version of UUIDs that mean what their maker says (RFC 9562): here, the hash of a text. */
const HASHED_VERSION = 8;
const VERSION_AT = 6;
const VARIANT_AT = 8;

/** Where in a UUID's text the digits of each byte stand. */
const DIGITS_AT = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34] as const;
const DASHES_AT = [8, 13, 18, 23] as const;
const DASH = '-'.charCodeAt(0);
const NO_DIGIT = 0xff;
/** Values of lower-case hexadecimal digits by their code. */
const DIGIT_VALUES = Uint8Array.from({ length: 128 }, (_, code) => {
  const value = '0123456789abcdef'.indexOf(String.fromCharCode(code));
  return value === -1 ? NO_DIGIT : value;
});

/**
 * The key of a request id, the same for ever: a UUID in its usual spelling (lower-case, of any
 * version but 8) is its own key; any other text has the first 122 bits of its SHA-256, as a UUID of
 * version 8. So no UUID's key can be a text's, and two texts share one as soon as two charges share
 * a content hash: never.
 */
export function requestKey(requestId: string): Uint8Array {
  return readUuid(requestId) ?? hashedKey(requestId);
}

/** Whether the key does not spell its request id out, so that the row has to keep the text. */
export function isHashedKey(key: Uint8Array): boolean {
  return (key[VERSION_AT] ?? 0) >>> 4 === HASHED_VERSION;
}

/** The 36-character text of 16 bytes, whether or not they are a UUID by the standard. */
export function uuidText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** The bytes of a UUID that is its own key; undefined for every other text. */
function readUuid(text: string): Uint8Array | undefined {
  if (text.length !== TEXT_LENGTH) return undefined;
  for (const at of DASHES_AT) if (text.charCodeAt(at) !== DASH) return undefined;
  const bytes = new Uint8Array(KEY_BYTES);
  // Digit by digit, 80 ns: the uuid package takes 460 and refuses what has no standard variant.
  for (let index = 0; index < KEY_BYTES; index++) {
    const at = DIGITS_AT[index] ?? 0;
    const high = DIGIT_VALUES[text.charCodeAt(at)] ?? NO_DIGIT;
    const low = DIGIT_VALUES[text.charCodeAt(at + 1)] ?? NO_DIGIT;
    if ((high | low) === NO_DIGIT) return undefined;
    bytes[index] = (high << 4) | low;
  }
  return isHashedKey(bytes) ? undefined : bytes;
}

function hashedKey(text: string): Uint8Array {
  const key = hash('sha256', text, 'buffer').subarray(0, KEY_BYTES);
  key[VERSION_AT] = ((key[VERSION_AT] ?? 0) & 0x0f) | (HASHED_VERSION << 4);
  key[VARIANT_AT] = ((key[VARIANT_AT] ?? 0) & 0x3f) | 0x80;
  return key;
}
