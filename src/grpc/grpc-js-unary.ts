/** Unary calls that come in by grpc-js. */

import type { handleUnaryCall, sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js';

import { headerOf } from './call-headers.ts';
import type { CallError } from './status.ts';
import type { UnaryTransport } from './unary-transport.ts';

/** Adapts what runs the calls of a method to grpc-js. */
export function grpcJsHandler<Res>(
  run: (transport: UnaryTransport<Res>) => void,
): handleUnaryCall<Buffer, Res> {
  return (call, callback) => run(new GrpcJsTransport(call, callback));
}

class GrpcJsTransport<Res> implements UnaryTransport<Res> {
  readonly #call: ServerUnaryCall<Buffer, Res>;
  readonly #callback: sendUnaryData<Res>;

  constructor(call: ServerUnaryCall<Buffer, Res>, callback: sendUnaryData<Res>) {
    this.#call = call;
    this.#callback = callback;
  }

  get bytes(): Buffer {
    return this.#call.request;
  }

  get sizeBytes(): number {
    return this.#call.request.length;
  }

  get cancelled(): boolean {
    return this.#call.cancelled;
  }

  get deadlineMs(): number {
    return Number(this.#call.getDeadline());
  }

  header(name: string): string | undefined {
    return headerOf(this.#call.metadata, name);
  }

  succeed(response: Res): void {
    this.#callback(null, response);
  }

  fail(error: CallError): void {
    this.#callback(error);
  }
}
