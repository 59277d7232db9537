/** Unary calls: from grpc-js to a handler that returns a promise, and back. */

import { setImmediate as nextTurn } from 'node:timers/promises';

import { type sendUnaryData, type ServerUnaryCall, status as Code } from '@grpc/grpc-js';

import { cancelled, type Failure, overloaded, type Reason, ServiceError } from '../errors/failure.ts';
import { headerOf } from './call-headers.ts';
import { logFailedCall } from './call-log.ts';
import { type Encoder, encodeTransient } from './codec.ts';
import type { MethodMetrics, MethodName, RpcContext } from './context.ts';
import { failureOf } from './internal-error.ts';
import type { MethodAccess } from './method-access.ts';
import { ANYBODY, type CallOrigin, type Principal } from './principal.ts';
import { type PeerCertificate, peerCertificateOf } from './peer-certificate.ts';
import type { RunningCall } from './running-calls.ts';
import type { RpcMethod } from './service.ts';
import { prepareFailure, toCallError } from './status.ts';
import { admit, type Call, type RequestRules } from './steps.ts';
import { TenantTurns, type TurnLimits } from './tenant-turns.ts';

/** What a handler may know about its call. */
export interface UnaryContext extends CallOrigin {
  readonly tenant: string;
  /** Who makes the call. */
  readonly principal: Principal;
  /** The caller has left, or the call took too long: nobody waits for the response. */
  readonly aborted: boolean;
  /** What is left of the caller's deadline if it comes before the server's own; otherwise undefined. */
  readonly timeoutMs: number | undefined;
  /** Clients leave so many responses unread that this one should be small. */
  readonly underPressure: boolean;
}

/** A unary method: its handler converts, calls the domain, and converts back. */
export interface UnaryMethod<Req, Res> extends RequestRules<Req> {
  readonly response: Encoder<Res>;
  /** The response may have hundreds of kilobytes, so it is refused to clients that do not read. */
  readonly hasLargeResponse?: boolean;
  /** How many calls are handled at once, and wait for that. By default only the limit of all calls. */
  readonly concurrency?: TurnLimits;
  /** Rejects or throws a {@link ServiceError} for every failure that the contract knows. */
  handle(request: Req, context: UnaryContext): Promise<Res>;
}

/** Makes the method ready to be added to a server. */
export function unaryMethod<Req, Res>(method: UnaryMethod<Req, Res>): RpcMethod {
  return {
    requestBytesMax: method.requestBytesMax,
    bind: (context, name) => {
      const counters = context.metrics.method(name);
      const turns = method.concurrency && new TenantTurns(method.concurrency);
      const endpoint = {
        method,
        name,
        context,
        counters,
        access: context.accessOf(name),
        turns,
        tooManyWaiting: tooManyWaiting(method, context),
      };
      return (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => {
        new UnaryCall(endpoint, call, callback).run();
      };
    },
  };
}

/** What all calls of a method share. */
interface Endpoint<Req, Res> {
  readonly method: UnaryMethod<Req, Res>;
  readonly name: MethodName;
  readonly context: RpcContext;
  readonly counters: MethodMetrics;
  readonly access: MethodAccess | undefined;
  readonly turns: TenantTurns | undefined;
  readonly tooManyWaiting: Failure | undefined;
}

function tooManyWaiting(
  { concurrency }: Pick<UnaryMethod<never, never>, 'concurrency'>,
  { limits }: RpcContext,
): Failure | undefined {
  if (concurrency === undefined) return undefined;
  const description = `${concurrency.waitingMax} waiting calls of this method`;
  return prepareFailure(overloaded('waiting_calls', description, limits.retryAfterMs));
}

class UnaryCall<Req, Res> implements Call<Req>, RunningCall, UnaryContext {
  readonly startedAtMs = performance.now();
  request: Req | undefined = undefined;
  principal: Principal = ANYBODY;
  readonly #endpoint: Endpoint<Req, Res>;
  readonly #call: ServerUnaryCall<Buffer, Buffer>;
  readonly #callback: sendUnaryData<Buffer>;
  #acquiredBytes = -1;
  #countedTenant: string | undefined = undefined;
  #answered = false;

  constructor(
    endpoint: Endpoint<Req, Res>,
    call: ServerUnaryCall<Buffer, Buffer>,
    callback: sendUnaryData<Buffer>,
  ) {
    this.#endpoint = endpoint;
    this.#call = call;
    this.#callback = callback;
  }

  get context(): RpcContext {
    return this.#endpoint.context;
  }

  get name(): MethodName {
    return this.#endpoint.name;
  }

  get peer(): string {
    return this.#call.getPeer();
  }

  get rules(): RequestRules<Req> {
    return this.#endpoint.method;
  }

  get counters(): MethodMetrics {
    return this.#endpoint.counters;
  }

  get access(): MethodAccess | undefined {
    return this.#endpoint.access;
  }

  get tenant(): string {
    return this.principal.tenant;
  }

  get bytes(): Buffer {
    return this.#call.request;
  }

  header(name: string): string | undefined {
    return headerOf(this.#call.metadata, name);
  }

  certificate(): PeerCertificate | undefined {
    return peerCertificateOf(this.#call);
  }

  get aborted(): boolean {
    return this.#answered || this.#call.cancelled;
  }

  get timeoutMs(): number | undefined {
    const leftMs = this.#deadlineMs - Date.now();
    return leftMs < this.context.limits.deadlineMaxMs ? Math.max(1, leftMs) : undefined;
  }

  get underPressure(): boolean {
    return this.context.admission.responses.underPressure;
  }

  run(): void {
    try {
      const outcome = admit(this);
      if (!(outcome instanceof Promise)) this.#continue(outcome);
      else {
        outcome.then((failure) => this.#continue(failure)).catch((error: unknown) => this.#failWith(error));
      }
    } catch (error) {
      this.#failWith(error);
    }
  }

  /** Throws what `handle` throws before it returns a promise. */
  #continue(failure: Failure | undefined): void {
    if (failure !== undefined) {
      this.#fail(failure);
      return;
    }
    const { turns } = this.#endpoint;
    (turns === undefined ? this.#handle() : turns.run(this.tenant, () => this.#handleLater())).then(
      (response) => this.#succeed(response),
      (error: unknown) => this.#failWith(error),
    );
  }

  acquire(): Failure | undefined {
    const { admission, running } = this.context;
    const bytes = this.bytes.length;
    const failure = admission.acquire(bytes);
    if (failure !== undefined) return failure;
    this.#acquiredBytes = bytes;
    running.add(this);
    return undefined;
  }

  acquireOfTenant(): Failure | undefined {
    const { turns, tooManyWaiting } = this.#endpoint;
    if (turns?.admits(this.tenant) === false) return tooManyWaiting;
    const failure = this.context.admission.acquireOf(this.tenant);
    if (failure === undefined) this.#countedTenant = this.tenant;
    return failure;
  }

  /** The caller gets its answer; the call stays counted until the handler has finished its work. */
  giveUp(failure: Failure): void {
    this.#answerFailure(failure);
  }

  /** That a client has reset its connection is known only after the next turn of the event loop. */
  async #handleLater(): Promise<Res> {
    await nextTurn();
    await nextTurn();
    return this.#handle();
  }

  /** Throws what `handle` throws. */
  #handle(): Promise<Res> {
    const { method } = this.#endpoint;
    // After a wait nobody may be there any more.
    if (this.aborted) throw new ServiceError(cancelled());
    const { responses } = this.context.admission;
    const failure = method.hasLargeResponse ? responses.refusal(this.peer) : undefined;
    if (failure !== undefined) throw new ServiceError(failure);
    return method.handle(this.request as Req, this);
  }

  #succeed(response: Res): void {
    this.#release();
    if (this.#answered) return;
    let bytes: Buffer;
    try {
      bytes = encodeTransient(this.#endpoint.method.response, response);
    } catch (error) {
      this.#failWith(error);
      return;
    }
    this.#answered = true;
    this.#count(Code.OK);
    if (this.#call.cancelled) return;
    if (this.#endpoint.method.hasLargeResponse) this.#countUntilRead(bytes.length);
    this.#callback(null, bytes);
  }

  /** grpc-js emits `cancelled` at the end of every call: when all of it was sent, too. */
  #countUntilRead(bytes: number): void {
    const { responses } = this.context.admission;
    const { peer } = this;
    if (responses.sent(peer, bytes)) this.#call.once('cancelled', () => responses.read(peer, bytes));
  }

  #failWith(error: unknown): void {
    this.#fail(failureOf(error, this, this.context.logger));
  }

  #fail(failure: Failure): void {
    this.#release();
    this.#answerFailure(failure);
  }

  #answerFailure(failure: Failure): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#count(Code[failure.code], failure.reason);
    this.context.metrics.refused(failure.reason);
    if (!this.#call.cancelled) this.#callback(toCallError(failure));
  }

  #release(): void {
    if (this.#acquiredBytes < 0) return;
    this.context.running.delete(this);
    this.context.admission.release(this.#acquiredBytes);
    this.#acquiredBytes = -1;
    if (this.#countedTenant !== undefined) this.context.admission.releaseOf(this.#countedTenant);
    this.#countedTenant = undefined;
  }

  #count(code: Code, reason?: Reason): void {
    const { cancelled } = this.#call;
    const received = cancelled ? this.#codeOfCancellation() : code;
    const durationMs = performance.now() - this.startedAtMs;
    this.counters.finished(received, durationMs / 1000);
    if (received === Code.OK) {
      this.counters.sent(1);
      return;
    }
    const end = { code: received, reason: cancelled ? undefined : reason, durationMs };
    logFailedCall(this.context.logger, this, end);
  }

  /** The call ended before its answer: the caller's deadline passed, or the caller cancelled it. */
  #codeOfCancellation(): Code {
    return this.#deadlineMs <= Date.now() ? Code.DEADLINE_EXCEEDED : Code.CANCELLED;
  }

  get #deadlineMs(): number {
    return Number(this.#call.getDeadline());
  }
}
