/** Finds out who makes a call: by an API key, a JSON Web Token or the certificate of the client. */

import { hash } from 'node:crypto';

import { type CredentialFault, type Failure, ServiceError, unauthenticated } from '../../errors/failure.ts';
import {
  type Authenticate,
  type CallOrigin,
  isRefused,
  type Principal,
  SCOPES,
} from '../../grpc/principal.ts';
import { prepareFailure } from '../../grpc/status.ts';
import type { BasicLogger } from '../../observability/logger.ts';
import { type ApiKeyParts, parseApiKey } from '../api-key.ts';
import { issuerUnavailable, tenantSuspended } from '../errors.ts';
import type { TenantDirectory } from '../ports.ts';
import { DEFAULT_TENANT, type Tenant } from '../tenant.ts';
import { type KnownKey, principalOfKey } from './api-keys.ts';
import { BoundedMap } from './bounded-map.ts';
import { parseClientIdentities, principalOfCertificate } from './client-identities.ts';
import { FailedAttempts } from './failed-attempts.ts';
import { FollowedFile } from './followed-file.ts';
import type { FreshRows } from './fresh-rows.ts';
import { JsonWebTokens, looksLikeToken, type VerifiedToken } from './json-web-tokens.ts';
import type { CredentialSettings } from './settings.ts';

/** Why a call was refused, as the metric names it. */
export type RefusalCause = CredentialFault | 'SUSPENDED' | 'THROTTLED';

/** What credentials are checked against; the authenticator owns none of it. */
export interface AuthenticatorOptions {
  readonly settings: CredentialSettings;
  readonly keys: FreshRows<KnownKey>;
  readonly tenants: Pick<TenantDirectory, 'find'>;
  readonly logger: BasicLogger;
  /** A call was refused. */
  refused(cause: RefusalCause): void;
}

type Outcome = Principal | Failure;
type Later<T> = T | Promise<T>;

/** The operator, where no credential is needed. */
const ANONYMOUS: Principal = {
  tenant: DEFAULT_TENANT,
  name: 'anonymous',
  scopes: new Set(SCOPES),
  userProfile: undefined,
};

const MISSING = prepareFailure(unauthenticated('MISSING'));
const MALFORMED = prepareFailure(unauthenticated('MALFORMED'));
const INVALID = prepareFailure(unauthenticated('INVALID'));

/** `Bearer` and a token68 of RFC 9110. */
const BEARER = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i;
const TOKENS_MAX = 10_000;
const CERTIFICATES_MAX = 1_000;
/** While the file with the identities cannot be used, and never could by this process. */
const RETRY_AFTER_MS = 1_000;
/** Tokens that were refused, so that their signature is not checked for every call. */
const REFUSED_TOKENS_MAX = 1_000;
const REFUSED_TOKEN_MS = 5_000;

interface RefusedToken {
  readonly failure: Failure;
  readonly untilMs: number;
}

export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #attempts = new FailedAttempts();
  readonly #jwt: JsonWebTokens | undefined;
  readonly #identities: FollowedFile<ReturnType<typeof parseClientIdentities>> | undefined;
  /** By the hash of the token, like the two below. */
  readonly #tokens = new BoundedMap<string, VerifiedToken>(TOKENS_MAX);
  readonly #refusedTokens = new BoundedMap<string, RefusedToken>(REFUSED_TOKENS_MAX);
  /** Whom certificates are mapped to, by their fingerprint. */
  readonly #certificates = new BoundedMap<string, Principal>(CERTIFICATES_MAX);
  readonly #verifying = new Map<string, Promise<VerifiedToken | Failure>>();
  /** Keys that were accepted since {@link takeUsedKeys}. */
  #usedKeys = new Set<string>();

  constructor(options: AuthenticatorOptions) {
    const { settings, logger } = options;
    const { jwt, clientIdentitiesFile } = settings;
    this.#options = options;
    this.#jwt = jwt && new JsonWebTokens(jwt, logger);
    this.#identities =
      clientIdentitiesFile === undefined
        ? undefined
        : new FollowedFile('TLS_CLIENT_IDENTITIES_FILE', clientIdentitiesFile, parseClientIdentities, logger);
  }

  readonly authenticate: Authenticate = (call) => {
    const header = call.header('authorization');
    const found = header === undefined ? this.#withoutHeader(call) : this.#byHeader(header, call);
    return then(found, (outcome) => {
      if (isRefused(outcome)) return this.#countRefusal(outcome, call);
      if (outcome === ANONYMOUS) return outcome;
      return then(this.#inTenant(outcome), (admitted) =>
        isRefused(admitted) ? this.#countRefusal(admitted, call) : admitted,
      );
    });
  };

  /** Reads files again that may have been replaced. */
  refresh(): void {
    this.#jwt?.refresh();
    if (this.#identities?.refresh()) this.#certificates.clear();
  }

  /** The ids of the keys that were accepted since this was last called. */
  takeUsedKeys(): ReadonlySet<string> {
    const used = this.#usedKeys;
    this.#usedKeys = new Set();
    return used;
  }

  #withoutHeader(call: CallOrigin): Outcome {
    return this.#byCertificate(call) ?? (this.#options.settings.required ? MISSING : ANONYMOUS);
  }

  #byCertificate(call: CallOrigin): Principal | undefined {
    const certificate = this.#identities && call.certificate();
    if (certificate === undefined) return undefined;
    const identities = this.#identities?.value;
    if (identities === undefined) throw new ServiceError(issuerUnavailable(RETRY_AFTER_MS));
    const { fingerprint256 } = certificate;
    const principal =
      this.#certificates.get(fingerprint256) ?? principalOfCertificate(identities, certificate);
    if (principal !== undefined) this.#certificates.set(fingerprint256, principal);
    return principal;
  }

  #byHeader(header: string, call: CallOrigin): Later<Outcome> {
    const token = BEARER.exec(header)?.[1];
    if (token === undefined) return MALFORMED;
    const key = parseApiKey(token);
    if (key !== undefined) return this.#byKey(key, call);
    if (!looksLikeToken(token)) return MALFORMED;
    return this.#jwt === undefined ? INVALID : this.#byToken(token, this.#jwt, call);
  }

  #byKey({ id, secret }: ApiKeyParts, call: CallOrigin): Later<Outcome> {
    const { keys } = this.#options;
    const judge = (key: KnownKey | undefined): Outcome => {
      const outcome = principalOfKey(key, secret);
      if (!isRefused(outcome)) this.#usedKeys.add(id);
      return outcome;
    };
    if (keys.has(id) || !this.#attempts.isSlowed(call.peer)) {
      return then(keys.get(id), ({ row }) => judge(row));
    }
    return this.#attempts.turn().then(async (refusal) => refusal ?? judge((await keys.get(id)).row));
  }

  #byToken(token: string, jwt: JsonWebTokens, call: CallOrigin): Later<Outcome> {
    const id = hash('sha256', token, 'base64');
    const known = this.#tokens.get(id);
    if (known !== undefined) {
      if (Date.now() < known.expiresAtMs) return known.principal;
      this.#tokens.delete(id);
    }
    const refused = this.#refusedTokens.get(id);
    if (refused !== undefined && performance.now() < refused.untilMs) return refused.failure;
    const verified = this.#attempts.isSlowed(call.peer)
      ? this.#attempts.turn().then((refusal) => refusal ?? this.#verify(id, token, jwt))
      : this.#verify(id, token, jwt);
    return verified.then((outcome) => ('principal' in outcome ? outcome.principal : outcome));
  }

  /** Calls with the same token share a check of it. */
  #verify(id: string, token: string, jwt: JsonWebTokens): Promise<VerifiedToken | Failure> {
    let verifying = this.#verifying.get(id);
    if (verifying === undefined) {
      verifying = jwt.verify(token).then((outcome) => {
        if ('principal' in outcome) this.#tokens.set(id, outcome);
        else this.#refusedTokens.set(id, { failure: outcome, untilMs: performance.now() + REFUSED_TOKEN_MS });
        return outcome;
      });
      this.#verifying.set(id, verifying);
      const forget = (): void => void this.#verifying.delete(id);
      verifying.then(forget, forget);
    }
    return verifying;
  }

  /** The principal if its tenant may be used. */
  #inTenant(principal: Principal): Later<Outcome> {
    return then(this.#options.tenants.find(principal.tenant), (tenant: Tenant | undefined) => {
      if (tenant === undefined) return INVALID;
      return tenant.suspendTimeMicros === undefined ? principal : tenantSuspended(tenant.tenant);
    });
  }

  /** What the caller is told. Only credentials that are wrong count as attempts: the others are somebody's. */
  #countRefusal(failure: Failure, call: CallOrigin): Failure {
    const throttled =
      failure.metadata?.['cause'] === 'INVALID' ? this.#attempts.failed(call.peer) : undefined;
    this.#options.refused(throttled === undefined ? causeOf(failure) : 'THROTTLED');
    return throttled ?? failure;
  }
}

function causeOf({ reason, metadata }: Failure): RefusalCause {
  if (reason === 'TENANT_SUSPENDED') return 'SUSPENDED';
  return reason === 'OVERLOADED' ? 'THROTTLED' : (metadata?.['cause'] as CredentialFault);
}

/** Goes on at once if the value is there: most calls need no promise. */
function then<T, Result>(value: Later<T>, next: (value: T) => Later<Result>): Later<Result> {
  return value instanceof Promise ? value.then(next) : next(value);
}
