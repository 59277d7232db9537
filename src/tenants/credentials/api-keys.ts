/** API keys: who makes the call, by what is stored of the key. */

import { timingSafeEqual } from 'node:crypto';

import { type Failure, unauthenticated } from '../../errors/failure.ts';
import { type Principal, type Scope, SCOPES } from '../../grpc/principal.ts';
import { hashOfSecret } from '../api-key.ts';
import type { ApiKeyRow } from '../entity.ts';
import { nameForLog } from './name-for-log.ts';

/** What is known of a key, ready for every call. */
export interface KnownKey {
  readonly secretHash: Buffer;
  readonly principal: Principal;
  readonly isRevoked: boolean;
  /** In milliseconds since 1970; Infinity: never. */
  readonly expiresAtMs: number;
  /** In milliseconds since 1970; -Infinity: never used. */
  readonly lastUseMs: number;
}

/** The key of a stored row. */
export function toKnownKey(row: ApiKeyRow): KnownKey {
  const { id, tenant, userProfile, secretHash, revokeTimeMicros, expireTimeMicros, lastUseTimeMicros } = row;
  const scopes: ReadonlySet<Scope> = new Set(SCOPES.filter((scope) => row.scopes.includes(scope)));
  return {
    secretHash: Buffer.from(secretHash),
    principal: { tenant, scopes, userProfile: userProfile || undefined, name: nameForLog('api_key', id) },
    isRevoked: (revokeTimeMicros ?? undefined) !== undefined,
    expiresAtMs: Number(expireTimeMicros ?? Infinity) / 1000,
    lastUseMs: Number(lastUseTimeMicros ?? -Infinity) / 1000,
  };
}

/** Compared with if there is no such key: then the answer takes as much work, and tells nothing about ids. */
const NO_HASH = Buffer.alloc(32);

/** Who makes the call, or why it is refused. `key`: undefined if none has this id. */
export function principalOfKey(key: KnownKey | undefined, secret: string): Principal | Failure {
  const isRight = timingSafeEqual(hashOfSecret(secret), key?.secretHash ?? NO_HASH);
  if (key === undefined || !isRight || key.isRevoked) return INVALID;
  return Date.now() >= key.expiresAtMs ? EXPIRED : key.principal;
}

const INVALID = unauthenticated('INVALID');
const EXPIRED = unauthenticated('EXPIRED');
