/** Unary calls straight on node:http2, without the objects that grpc-js builds for each of them. */

import { status as Code } from '@grpc/grpc-js';
import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2';

import {
  answerWithMessage,
  answerWithStatus,
  canAnswer,
  OK_TRAILERS,
  statusTrailers,
} from './http2-answer.ts';
import { type RequestFault, RequestMessage } from './request-message.ts';
import type { CallError } from './status.ts';
import type { UnaryEndpoint, UnaryTransport } from './unary-transport.ts';

/** The texts of grpc-js, also where they could be better: nobody should see who answered. */
const EXPIRED = 'Deadline exceeded';
const NO_MESSAGE = 'Received no request message for server streaming method';
const SECOND_MESSAGE = 'Received a second request message for server streaming method';
const NOT_SERIALIZED = 'Error serializing response';
/** grpc-js takes such a message as if it were plain; gRPC wants it refused. */
const COMPRESSED = 'The message is marked as compressed, but grpc-encoding names no compression';

const EXPIRED_TRAILERS = statusTrailers(Code.DEADLINE_EXCEEDED, EXPIRED);
const NO_BYTES = Buffer.alloc(0);

/** One call on one stream, from its headers to the end of the stream. */
export class Http2UnaryCall implements UnaryTransport<unknown> {
  bytes: Buffer = NO_BYTES;
  sizeBytes = 0;
  cancelled = false;
  readonly deadlineMs: number;
  readonly #endpoint: UnaryEndpoint;
  readonly #stream: ServerHttp2Stream;
  readonly #headers: IncomingHttpHeaders;
  /** What has arrived; undefined once nothing more is looked at: the request is complete, or answered. */
  #message: RequestMessage | undefined;
  readonly #timer: NodeJS.Timeout | undefined = undefined;
  #trailers = OK_TRAILERS;
  /** Of the request until it is looked at, of the answer until it is taken. */
  #heldBytes = 0;

  /** `timeoutMs`: the caller's; Infinity: none. `onClose`: called once, when the stream is closed. */
  constructor(
    endpoint: UnaryEndpoint,
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    timeoutMs: number,
    onClose: (() => void) | undefined,
  ) {
    this.#endpoint = endpoint;
    this.#stream = stream;
    this.#headers = headers;
    this.#message = new RequestMessage(endpoint.messageBytesMax);
    this.deadlineMs = timeoutMs === Infinity ? Infinity : Date.now() + timeoutMs;
    // Node keeps timers of equal length in one list, so that one per call costs next to nothing.
    if (timeoutMs !== Infinity) this.#timer = setTimeout(() => this.#expire(), timeoutMs);
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
    stream.on('end', () => this.#receiveEnd());
    stream.on('wantTrailers', () => stream.sendTrailers(this.#trailers));
    stream.on('close', () => {
      onClose?.();
      clearTimeout(this.#timer);
      this.#cancel();
      this.#letGo();
    });
    // `close` follows every error.
    stream.on('error', () => {});
  }

  header(name: string): string | undefined {
    const value = this.#headers[name];
    return typeof value === 'string' ? value : undefined;
  }

  succeed(response: unknown): void {
    if (!canAnswer(this.#stream)) return;
    let message: Buffer;
    try {
      message = this.#endpoint.encode(response);
    } catch {
      this.#end(Code.INTERNAL, NOT_SERIALIZED);
      return;
    }
    this.#hold(message.length);
    answerWithMessage(this.#stream, message);
  }

  fail({ code, details, metadata }: CallError): void {
    this.#end(code, details, metadata.toHttp2Headers());
  }

  #receive(chunk: Buffer): void {
    if (this.#message === undefined) return;
    this.#hold(chunk.length);
    const fault = this.#message.push(chunk);
    if (fault !== undefined) this.#refuse(fault);
    // Admission refuses it then, like everything new.
    else if (this.#endpoint.heldBytes.full) this.#run(0);
  }

  #receiveEnd(): void {
    if (this.#message === undefined) return;
    const { bytes } = this.#message;
    if (bytes === undefined) {
      this.#end(Code.UNIMPLEMENTED, `${NO_MESSAGE} ${this.#endpoint.path}`);
      return;
    }
    this.bytes = bytes;
    this.#run(bytes.length);
    // They may share a buffer of 64 KiB with what was read with them.
    this.bytes = NO_BYTES;
  }

  #refuse(fault: RequestFault): void {
    switch (fault.kind) {
      case 'too_large':
        // Answered by its size, without waiting for its bytes.
        return this.#run(fault.sizeBytes);
      case 'compressed':
        return this.#end(Code.INTERNAL, COMPRESSED);
      case 'second_message':
        return this.#end(Code.UNIMPLEMENTED, `${SECOND_MESSAGE} ${this.#endpoint.path}`);
    }
  }

  #hold(bytes: number): void {
    this.#heldBytes += bytes;
    this.#endpoint.heldBytes.take(bytes);
  }

  #letGo(): void {
    this.#endpoint.heldBytes.giveBack(this.#heldBytes);
    this.#heldBytes = 0;
  }

  #run(sizeBytes: number): void {
    this.sizeBytes = sizeBytes;
    this.#endpoint.run(this);
    this.#dropRequest();
  }

  /** Nothing of the request is looked at any more. */
  #dropRequest(): void {
    if (this.#message === undefined) return;
    this.#message = undefined;
    this.#letGo();
  }

  #expire(): void {
    // For an answer whose reader has not taken it yet.
    this.#trailers = EXPIRED_TRAILERS;
    this.#end(Code.DEADLINE_EXCEEDED, EXPIRED);
    this.#cancel();
  }

  #cancel(): void {
    this.cancelled = true;
    this.#dropRequest();
  }

  #end(code: Code, text: string, more?: OutgoingHttpHeaders): void {
    this.#dropRequest();
    if (canAnswer(this.#stream)) answerWithStatus(this.#stream, code, text, more);
  }
}
