/** JSON Web Tokens of one issuer: who they say makes the call. */

import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type FetchImplementation,
  type JSONWebKeySet,
  type JWTPayload,
  jwtVerify,
  type JWTVerifyGetKey,
} from 'jose';

import { describeError } from '../../errors/describe-error.ts';
import { type Failure, ServiceError, unauthenticated } from '../../errors/failure.ts';
import { type Principal, type Scope, SCOPES } from '../../grpc/principal.ts';
import type { BasicLogger } from '../../observability/logger.ts';
import { onceAMinute } from '../../observability/once-a-minute.ts';
import { issuerUnavailable } from '../errors.ts';
import { isTenantId } from '../tenant.ts';
import { FollowedFile } from './followed-file.ts';
import { nameForLog } from './name-for-log.ts';
import type { JwtSettings } from './settings.ts';

/** What a token says that is signed by the issuer and meant for this service. */
export interface VerifiedToken {
  readonly principal: Principal;
  /** In milliseconds since 1970; the tolerance is included. */
  readonly expiresAtMs: number;
}

const CLOCK_TOLERANCE_S = 30;
/** A token that is valid for longer is refused: it could not be revoked. */
const LIFETIME_MAX_S = 24 * 60 * 60;
const USER_PROFILE_UNITS_MAX = 255;

/** How the keys of the issuer are fetched. A key that is not known is looked for at most twice a minute. */
const FETCHING = { timeoutMs: 5_000, cooldownMs: 30_000, refreshMs: 5 * 60_000, ageMaxMs: 60 * 60_000 };
/** After a fetch that failed. */
const FETCH_PAUSE_MS = 1_000;
/** Far more than the keys of any issuer. */
const JWKS_BYTES_MAX = 1024 * 1024;

/** Whether a text has the three parts of a token. */
export function looksLikeToken(text: string): boolean {
  return text.split('.').length === 3;
}

export class JsonWebTokens {
  readonly #settings: JwtSettings;
  readonly #keys: JWTVerifyGetKey;
  readonly #logger: BasicLogger;
  #file: FollowedFile<JWTVerifyGetKey> | undefined;
  readonly #mayLog = onceAMinute();

  constructor(settings: JwtSettings, logger: BasicLogger) {
    this.#settings = settings;
    this.#logger = logger;
    this.#keys =
      'url' in settings.keys ? remoteKeys(settings.keys.url) : this.#keysOfFile(settings.keys.file);
  }

  /** Reads the file with the keys again, if they are in one. */
  refresh(): void {
    this.#file?.refresh();
  }

  /** What the token says, or why it is refused. Rejects with a ServiceError if that cannot be found out now. */
  async verify(token: string): Promise<VerifiedToken | Failure> {
    const { issuer, audience, algorithms } = this.#settings;
    let payload: JWTPayload;
    try {
      ({ payload } = await jwtVerify(token, this.#keys, {
        issuer,
        audience,
        algorithms: [...algorithms],
        clockTolerance: CLOCK_TOLERANCE_S,
        requiredClaims: ['exp'],
      }));
    } catch (error) {
      if (error instanceof errors.JWTExpired) return unauthenticated('EXPIRED');
      if (isAboutToken(error)) return unauthenticated('INVALID');
      this.#logUnavailable(error);
      throw new ServiceError(issuerUnavailable(FETCH_PAUSE_MS), { cause: error });
    }
    const expiresAtS = Number(payload.exp) + CLOCK_TOLERANCE_S;
    if (expiresAtS - Date.now() / 1000 > LIFETIME_MAX_S + 2 * CLOCK_TOLERANCE_S)
      return unauthenticated('INVALID');
    const principal = this.#principalOf(payload);
    return principal === undefined
      ? unauthenticated('INVALID')
      : { principal, expiresAtMs: expiresAtS * 1000 };
  }

  #principalOf(payload: JWTPayload): Principal | undefined {
    const { tenantClaim, scopesClaim, userProfileClaim } = this.#settings;
    const tenant = claimOf(payload, tenantClaim);
    const userProfile = claimOf(payload, userProfileClaim);
    // A claim that cannot be understood must not become a credential for all users.
    if (!isTenantId(tenant) || (userProfile !== undefined && !isUserProfile(userProfile))) return undefined;
    const { sub = '' } = payload;
    const scopes = scopesOf(claimOf(payload, scopesClaim));
    return { tenant, scopes, userProfile, name: nameForLog('jwt', sub) };
  }

  #keysOfFile(path: string): JWTVerifyGetKey {
    const file = new FollowedFile('JWT_JWKS_FILE', path, parseJwks, this.#logger);
    this.#file = file;
    return (header, token) => {
      if (file.value === undefined) throw new Error('JWT_JWKS_FILE cannot be used');
      return file.value(header, token);
    };
  }

  #logUnavailable(error: unknown): void {
    if (!this.#mayLog()) return;
    const variable = this.#file === undefined ? 'JWT_JWKS_URL' : 'JWT_JWKS_FILE';
    this.#logger.error(
      { error: describeError(error) },
      `the keys that tokens are checked with cannot be read (${variable})`,
    );
  }
}

/** Reads a JSON Web Key Set. Throws if the text holds none. */
export function parseJwks(text: string): JWTVerifyGetKey {
  return createLocalJWKSet(JSON.parse(text) as JSONWebKeySet);
}

/** Fetched again every few minutes while tokens arrive. If the issuer is away, the keys count for an hour. */
function remoteKeys(url: string): JWTVerifyGetKey {
  let fetchedAtMs = 0;
  let pausedUntilMs = 0;
  const fetchJwks: FetchImplementation = async (address, options) => {
    if (performance.now() < pausedUntilMs) throw new Error('the last fetch has just failed');
    try {
      const response = await fetch(address, options);
      if (response.status !== 200) throw new Error(`the issuer answered with HTTP status ${response.status}`);
      return Response.json(JSON.parse(await textOf(response)));
    } catch (error) {
      pausedUntilMs = performance.now() + FETCH_PAUSE_MS;
      throw error;
    } finally {
      fetchedAtMs = performance.now();
    }
  };
  const keys = createRemoteJWKSet(new URL(url), {
    timeoutDuration: FETCHING.timeoutMs,
    cooldownDuration: FETCHING.cooldownMs,
    cacheMaxAge: FETCHING.ageMaxMs,
    [customFetch]: fetchJwks,
  });
  return (header, token) => {
    const isOld = keys.fresh && performance.now() - fetchedAtMs > FETCHING.refreshMs;
    // What is known still counts; the next call that needs new keys meets the same failure.
    if (isOld && !keys.reloading) keys.reload().catch(() => undefined);
    return keys(header, token);
  };
}

/** The body. Rejects if it is too large. */
async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const body = (response.body ?? []) as AsyncIterable<Uint8Array>;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > JWKS_BYTES_MAX) throw new Error(`the issuer answered with more than ${JWKS_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** Whether the token is wrong. Everything else is a failure to get the keys. */
function isAboutToken(error: unknown): boolean {
  if (error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid) return false;
  return error instanceof errors.JOSEError && error.code !== 'ERR_JOSE_GENERIC';
}

/** A claim of the token's own, not one that every object has. */
function claimOf(payload: JWTPayload, name: string): unknown {
  return Object.hasOwn(payload, name) ? payload[name] : undefined;
}

function isUserProfile(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value !== '' &&
    value.length <= USER_PROFILE_UNITS_MAX &&
    !value.includes('\0') &&
    value.isWellFormed()
  );
}

/** `read`, `charge:read` and so on; those that are not known here are for others. */
function scopesOf(claim: unknown): Set<Scope> {
  const names: unknown[] = typeof claim === 'string' ? claim.split(' ') : Array.isArray(claim) ? claim : [];
  const wanted = new Set(names.map((name) => String(name).replace(/^charge:/, '')));
  return new Set(SCOPES.filter((scope) => wanted.has(scope.toLowerCase())));
}
