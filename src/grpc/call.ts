/** What all calls have in common, and the order of everything that happens before their handlers. */

import type { Failure, FieldViolation } from '../errors/service-error.ts';
import type { Admission } from './admission.ts';
import { tenantOf } from './auth.ts';
import type { CallHeaders } from './call-headers.ts';
import type { RunningCalls } from './running-calls.ts';
import type { MethodMetrics, RpcLimits, RpcLogger, RpcMetrics } from './dependencies.ts';
import type { HeldBytes } from './held-bytes.ts';
import type { LongStreams } from './long-streams.ts';
import type { RecordWindow } from '../charges/rpc/record-window.ts';

/** The state that all calls of a server share. */
export interface Border {
  readonly limits: RpcLimits;
  readonly logger: RpcLogger;
  readonly metrics: RpcMetrics;
  readonly admission: Admission;
  readonly heldBytes: HeldBytes;
  readonly running: RunningCalls;
  readonly streams: LongStreams;
  readonly recordWindow: RecordWindow;
}

/** How the requests of a method become messages. */
export interface Method<Req> {
  /** `CreateCharge` and so on. */
  readonly name: string;
  readonly messageBytesMax: number;
  /** The request that the bytes hold, or undefined where they hold none; never throws. */
  decode(bytes: Buffer): Req | undefined;
  /** Every rule of the contract that the request breaks; none: an empty list. */
  validate(request: Req): readonly FieldViolation[];
}

/** A call as the steps see it. */
export interface Call<Req> extends CallHeaders {
  readonly border: Border;
  readonly method: Method<Req>;
  readonly counters: MethodMetrics;
  /** The request as it arrived; empty where its size alone refuses it. */
  readonly bytes: Buffer;
  readonly sizeBytes: number;
  request: Req | undefined;
  tenant: string;
  /** Called by the step of its kind; see there. */
  hold(): Failure | undefined;
}

type Step = (call: Call<unknown>) => Failure | undefined;

const countStart: Step = ({ counters }) => {
  counters.started();
  return undefined;
};
const refuseWhileDraining: Step = ({ border }) => border.admission.refusal;
const hold: Step = (call) => call.hold();
const identify: Step = (call) => {
  call.tenant = tenantOf(call);
  return undefined;
};
const limitSize: Step = ({ sizeBytes, method }) =>
  sizeBytes <= method.messageBytesMax
    ? undefined
    : { kind: 'message_too_large', limitBytes: method.messageBytesMax, sizeBytes };
const decode: Step = (call) => {
  call.request = call.method.decode(call.bytes);
  return call.request === undefined ? { kind: 'malformed_message' } : undefined;
};
const validate: Step = ({ method, request }) => {
  const violations = method.validate(request);
  return violations.length === 0 ? undefined : { kind: 'validation_failed', violations };
};

/**
 * The one list of cross-cutting work. A plain loop over functions made once: the same as grpc-js
 * server interceptors costs a wrapper with four callbacks per call and interceptor.
 */
const STEPS: readonly Step[] = [
  // First, so that refusals are counted too.
  countStart,
  // Before a slot is taken: during a drain the number of taken slots only falls.
  refuseWhileDraining,
  // Before everything that costs (credentials, decoding, database): 300 requests reset at once ran
  // 300 handlers, and only this bounds them.
  hold,
  // After the slot, because checking a credential costs; before the message is looked at.
  identify,
  // Before decoding, which costs by the byte.
  limitSize,
  decode,
  validate,
];

/** What a stream of requests goes through before the first of them. */
const STEPS_WITHOUT_REQUEST = STEPS.slice(0, STEPS.indexOf(limitSize));

/** Takes a call with one request through every step; or says why it ends here. */
export function admit(call: Call<unknown>): Failure | undefined {
  return run(STEPS, call);
}

/** Takes a call whose requests are still to come through the steps that need none. */
export function admitStreamOfRequests(call: Call<unknown>): Failure | undefined {
  return run(STEPS_WITHOUT_REQUEST, call);
}

function run(steps: readonly Step[], call: Call<unknown>): Failure | undefined {
  for (const step of steps) {
    const failure = step(call);
    if (failure !== undefined) return failure;
  }
  return undefined;
}
