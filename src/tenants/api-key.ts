/** API keys: `chg_<id>_<secret>`. The secret has 256 random bits; only its hash is stored. */

import { hash, randomBytes } from 'node:crypto';

/** A key in its parts. */
export interface ApiKeyParts {
  /** 16 hexadecimal digits; no secret. */
  readonly id: string;
  /** 64 hexadecimal digits. */
  readonly secret: string;
}

const ID_BYTES = 8;
const SECRET_BYTES = 32;
/** Secret scanners find keys with it. */
const API_KEY = /^chg_([0-9a-f]{16})_([0-9a-f]{64})$/;

/** A new key. */
export function newApiKey(): ApiKeyParts {
  return { id: randomBytes(ID_BYTES).toString('hex'), secret: randomBytes(SECRET_BYTES).toString('hex') };
}

/** The key as a caller sends it. */
export function formatApiKey({ id, secret }: ApiKeyParts): string {
  return `chg_${id}_${secret}`;
}

/** The parts of a key as a caller sends it; undefined: it is none. */
export function parseApiKey(text: string): ApiKeyParts | undefined {
  const [, id, secret] = API_KEY.exec(text) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

/** What is stored of a secret. It needs no salt and no slow hash: nobody can guess 256 random bits. */
export function hashOfSecret(secret: string): Buffer {
  return hash('sha256', secret, 'buffer');
}
