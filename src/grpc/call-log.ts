/**
 * What the log says about calls. Lines that clients can cause at will have level debug, so that none of them can fill
 * the log.
 */

import { status as Code } from '@grpc/grpc-js';

import { excerpt, type Failure } from '../errors/failure.ts';
import { type Headers, requestIdOf } from './call-headers.ts';
import type { MethodName, RpcLogger } from './context.ts';

/** A call as the log names it. */
export interface LoggedCall extends Headers {
  readonly name: MethodName;
  /** Empty: the call was refused before it was known. */
  readonly tenant: string;
  /** Address and port of the client. */
  readonly peer: string;
}

/** How a call ended. */
export interface CallEnd {
  readonly code: Code;
  /** Undefined: the caller left, or its deadline passed. */
  readonly reason: Failure['reason'] | undefined;
  readonly durationMs: number;
}

/** What every line about a call says. */
export function callFields(call: LoggedCall): object {
  const { service, method } = call.name;
  return {
    method: excerpt(`${service}/${method}`),
    tenant: call.tenant || undefined,
    peer: call.peer,
    xRequestId: requestIdOf(call),
  };
}

/** A call did not end with OK. */
export function logFailedCall(logger: RpcLogger, call: LoggedCall, end: CallEnd): void {
  if (!logger.isLevelEnabled('debug')) return;
  const { code, reason, durationMs } = end;
  logger.debug(
    { ...callFields(call), code: Code[code], reason, durationMs: Math.round(durationMs * 1000) / 1000 },
    'a call was refused or failed',
  );
}
