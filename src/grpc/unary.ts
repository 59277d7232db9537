/** Unary calls: from the wire to a handler that returns a promise, and back. */

import { status as Code } from '@grpc/grpc-js';

import type { Failure } from '../errors/service-error.ts';
import { admit, type Border, type Call, type Method } from './call.ts';
import type { CallHeaders } from './call-headers.ts';
import type { RunningCall } from './running-calls.ts';
import { failureOf } from './internal-error.ts';
import type { MethodMetrics } from './dependencies.ts';
import { type BorderFailure, describeFailure } from './errors.ts';
import { toCallError } from './status.ts';
import type { UnaryTransport } from './unary-transport.ts';

/** What a handler may know about its call. */
export interface CallContext extends CallHeaders {
  readonly tenant: string;
  /** The caller has given up, or the time is over: what is done now is for nobody. */
  readonly aborted: boolean;
  /** What is left of the caller's deadline where it comes before the server's own; else undefined. */
  readonly timeoutMs: number | undefined;
}

/** A unary method: its handler converts, calls the domain, and converts back. */
export interface UnaryMethod<Req, Res> extends Method<Req> {
  /** Rejects or throws a domain ServiceError for everything that the contract knows. */
  handle(request: Req, context: CallContext): Promise<Res>;
}

/** Runs the calls of a method, each from its arrival to its answer; never throws. */
export function unaryRunner<Req, Res>(
  method: UnaryMethod<Req, Res>,
  border: Border,
): (transport: UnaryTransport<Res>) => void {
  const counters = border.metrics.method(method.name);
  return (transport) => new UnaryCall(method, border, counters, transport).run();
}

class UnaryCall<Req, Res> implements Call<Req>, RunningCall, CallContext {
  readonly method: UnaryMethod<Req, Res>;
  readonly border: Border;
  readonly counters: MethodMetrics;
  readonly startedAtMs = performance.now();
  request: Req | undefined = undefined;
  tenant = '';
  previousCall: RunningCall | undefined = undefined;
  nextCall: RunningCall | undefined = undefined;
  readonly #transport: UnaryTransport<Res>;
  #holdsSlot = false;
  #finished = false;

  constructor(
    method: UnaryMethod<Req, Res>,
    border: Border,
    counters: MethodMetrics,
    transport: UnaryTransport<Res>,
  ) {
    this.method = method;
    this.border = border;
    this.counters = counters;
    this.#transport = transport;
  }

  get bytes(): Buffer {
    return this.#transport.bytes;
  }

  get sizeBytes(): number {
    return this.#transport.sizeBytes;
  }

  header(name: string): string | undefined {
    return this.#transport.header(name);
  }

  get aborted(): boolean {
    return this.#finished || this.#transport.cancelled;
  }

  get timeoutMs(): number | undefined {
    const leftMs = this.#transport.deadlineMs - Date.now();
    return leftMs < this.border.limits.deadlineMaxMs ? Math.max(1, leftMs) : undefined;
  }

  run(): void {
    try {
      const failure = admit(this);
      if (failure !== undefined) {
        this.#fail(failure);
        return;
      }
      this.method.handle(this.request as Req, this).then(
        (response) => this.#succeed(response),
        (error: unknown) => this.#fail(failureOf(error, this.method.name, this.border.logger)),
      );
    } catch (error) {
      this.#fail(failureOf(error, this.method.name, this.border.logger));
    }
  }

  /** Takes a slot, and starts the clock of the server's own time limit. */
  hold(): Failure | undefined {
    const failure = this.border.admission.take();
    if (failure !== undefined) return failure;
    this.#holdsSlot = true;
    this.border.running.enter(this);
    return undefined;
  }

  /** The caller is answered; the slot stays taken until the handler is done with its work. */
  giveUp(failure: Failure): void {
    this.#finish(failure);
  }

  #succeed(response: Res): void {
    this.#release();
    if (this.#finished) return;
    this.#finished = true;
    this.#count(this.#transport.cancelled ? this.#codeOfCancel() : Code.OK);
    this.#transport.succeed(response);
  }

  #fail(failure: BorderFailure): void {
    this.#release();
    this.#finish(failure);
  }

  #finish(failure: BorderFailure): void {
    if (this.#finished) return;
    this.#finished = true;
    const { code, reason } = describeFailure(failure);
    this.#count(this.#transport.cancelled ? this.#codeOfCancel() : code);
    this.border.metrics.refused(reason);
    this.#transport.fail(toCallError(failure));
  }

  #release(): void {
    if (!this.#holdsSlot) return;
    this.#holdsSlot = false;
    if (!this.#finished) this.border.running.leave(this);
    this.border.admission.release();
  }

  #count(code: Code): void {
    this.counters.finished(code, (performance.now() - this.startedAtMs) / 1000);
  }

  /** The call ended without us: the caller's deadline passed, or the caller gave up. */
  #codeOfCancel(): Code {
    return this.#transport.deadlineMs <= Date.now() ? Code.DEADLINE_EXCEEDED : Code.CANCELLED;
  }
}
