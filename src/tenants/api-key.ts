/** API keys: `chg_<id>_<secret>`. The secret has 256 random bits; only its hash is stored. */

import { hash, randomBytes } from 'node:crypto';

import type { Scope } from '../grpc/principal.ts';

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

/** A key as it is stored, without what its secret is checked with. */
export interface ApiKey {
  readonly id: string;
  readonly tenant: string;
  /** May be empty. */
  readonly displayName: string;
  readonly scopes: readonly Scope[];
  /** The one user profile that the key is for; empty: all of the tenant. */
  readonly userProfile: string;
  readonly createTimeMicros: bigint;
  /** Undefined: it does not expire. */
  readonly expireTimeMicros: bigint | undefined;
  /** Undefined: it was not revoked. */
  readonly revokeTimeMicros: bigint | undefined;
  /** To within an hour; undefined: it was never used. */
  readonly lastUseTimeMicros: bigint | undefined;
}

/** What an administrator says about a new key. */
export type NewApiKey = Pick<ApiKey, 'displayName' | 'scopes' | 'userProfile' | 'expireTimeMicros'>;

/** Whether the key is accepted at a moment. */
export function isActive({ revokeTimeMicros, expireTimeMicros }: ApiKey, nowMicros: bigint): boolean {
  return revokeTimeMicros === undefined && (expireTimeMicros === undefined || expireTimeMicros > nowMicros);
}
