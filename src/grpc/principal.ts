/** Who makes a call, and what it may do. */

import type { Failure } from '../errors/failure.ts';
import type { CallHeaders } from './call-headers.ts';

/** What a credential may do: the names of `charge.v1.Scope` without their prefix. */
export const SCOPES = ['RECORD', 'READ', 'PRICE', 'BUDGET', 'CORRECT', 'ADMIN'] as const;
export type Scope = (typeof SCOPES)[number];

/** Who makes a call, as its credential says. */
export interface Principal {
  readonly tenant: string;
  /** Who it is for the audit log: `api_key:<id>`, `jwt:<subject>`, `certificate:<name>` or `anonymous`. */
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
  /** The one user profile that the credential is for; undefined: all of the tenant. */
  readonly userProfile: string | undefined;
}

/** Of a call that is not authenticated, because everybody may call its method. It may do nothing else. */
export const ANYBODY: Principal = { tenant: '', name: 'anybody', scopes: new Set(), userProfile: undefined };

/** What a credential is looked for in. */
export interface CallOrigin extends CallHeaders {
  /** Address and port of the client. */
  readonly peer: string;
}

/**
 * The principal of a call, or why the call is refused. A promise only if the credential is not known yet. Called for
 * every call, so it has to be cheap. Rejects with a `ServiceError` if a credential cannot be checked now.
 */
export type Authenticate = (call: CallOrigin) => Principal | Failure | Promise<Principal | Failure>;

/** Whether the call is refused. */
export function isRefused(outcome: Principal | Failure): outcome is Failure {
  return 'reason' in outcome;
}
