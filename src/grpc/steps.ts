/** What happens to every call before its handler, in one ordered list. */

import {
  type Failure,
  type FieldViolation,
  malformedMessage,
  unauthenticated,
  validationFailed,
} from '../errors/failure.ts';
import type { LoggedCall } from './call-log.ts';
import type { MethodMetrics, RpcContext } from './context.ts';
import { type MethodAccess, refusalOf } from './method-access.ts';
import { ANYBODY, type CallOrigin, isRefused, type Principal } from './principal.ts';

/** How the requests of a method become messages. */
export interface RequestRules<Req> {
  readonly requestBytesMax: number;
  /** The request that the bytes hold, or undefined if they hold none. Never throws. */
  decode(bytes: Buffer): Req | undefined;
  /** Every rule of the contract that the request breaks; an empty list if none. */
  validate(request: Req): readonly FieldViolation[];
}

/** A call as the steps see it. */
export interface Call<Req> extends LoggedCall, CallOrigin {
  readonly context: RpcContext;
  readonly rules: RequestRules<Req>;
  readonly counters: MethodMetrics;
  /** The request as it arrived; empty for a stream of requests. */
  readonly bytes: Buffer;
  request: Req | undefined;
  /** Undefined: everybody may call the method. */
  readonly access: MethodAccess | undefined;
  /** Who makes the call: `ANYBODY` until it is authenticated. */
  principal: Principal;
  /** Counts the call against the limits of its kind, or says why it is refused. */
  acquire(): Failure | undefined;
  /** Counts the call against the limits of its tenant, or says why it is refused. */
  acquireOfTenant(): Failure | undefined;
}

/** Why a call ends here; undefined: it goes on. A promise only if its credential has to be looked up. */
type Outcome = Failure | undefined;
type Step = (call: Call<unknown>) => Outcome | Promise<Outcome>;

const countStart: Step = ({ counters }) => {
  counters.started();
  return undefined;
};
const countRequest: Step = ({ counters }) => {
  counters.received(1);
  return undefined;
};
const refuseWhileDraining: Step = ({ context }) => context.admission.drainFailure;
const acquire: Step = (call) => call.acquire();
const authenticate: Step = (call) => {
  if (call.access === undefined) return undefined;
  const found = call.context.authenticate(call);
  return found instanceof Promise ? found.then((later) => authorize(call, later)) : authorize(call, found);
};
function authorize(call: Call<unknown>, found: Principal | Failure): Outcome {
  if (isRefused(found)) return found;
  call.principal = found;
  return call.access && refusalOf(call.access, found);
}

/** Why a call that was authenticated before may not go on: its credential is not accepted any more, or is for others. */
export async function authenticateAgain(call: Call<unknown>): Promise<Outcome> {
  const { access, principal } = call;
  if (access === undefined || principal === ANYBODY) return undefined;
  const found = await call.context.authenticate(call);
  if (isRefused(found)) return found;
  const isSame = found.tenant === principal.tenant && found.userProfile === principal.userProfile;
  return isSame ? refusalOf(access, found) : unauthenticated('INVALID');
}

const acquireOfTenant: Step = (call) => call.acquireOfTenant();
const decode: Step = (call) => {
  call.request = call.rules.decode(call.bytes);
  return call.request === undefined ? malformedMessage() : undefined;
};
const validate: Step = ({ rules, request }) => {
  const violations = rules.validate(request);
  return violations.length === 0 ? undefined : validationFailed(violations);
};

/** A plain loop over functions: a grpc-js server interceptor makes four callbacks per call. */
const STEPS: readonly Step[] = [
  // First, so that calls that are refused here are counted too; the guard counts its own refusals.
  countStart,
  // Before the limits: during a drain the number of calls in flight only falls.
  refuseWhileDraining,
  // Before everything that costs time: without it, 300 requests that were reset at once ran 300 handlers.
  acquire,
  // After the limits, because checking a credential costs time.
  authenticate,
  // Before the work for the request: a tenant that is at its limit costs the others little.
  acquireOfTenant,
  // The requests of a stream of them are counted as they arrive.
  countRequest,
  decode,
  validate,
];

/** For a stream of requests: what needs no request. */
const STEPS_WITHOUT_REQUEST = STEPS.slice(0, STEPS.indexOf(countRequest));

/** Takes a call with one request through every step, or says why it ends here. */
export function admit(call: Call<unknown>): Outcome | Promise<Outcome> {
  return run(STEPS, call);
}

/** Takes a call whose requests are still to come through the steps that need none. */
export function admitStreamOfRequests(call: Call<unknown>): Outcome | Promise<Outcome> {
  return run(STEPS_WITHOUT_REQUEST, call);
}

function run(steps: readonly Step[], call: Call<unknown>, from = 0): Outcome | Promise<Outcome> {
  for (let index = from; index < steps.length; index++) {
    const outcome = steps[index]?.(call);
    if (outcome instanceof Promise) return outcome.then((failure) => failure ?? run(steps, call, index + 1));
    if (outcome !== undefined) return outcome;
  }
  return undefined;
}
