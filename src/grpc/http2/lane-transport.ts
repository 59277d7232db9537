/** Unary calls that come in by the lane. */

import { status as Code } from '@grpc/grpc-js';

import { type RequestFault, RequestMessage } from './request-message.ts';
import type { CallError } from '../status.ts';
import type { UnaryEndpoint, UnaryTransport } from '../unary-transport.ts';
import { messageHeaders, OK_TRAILERS, statusHeaders, statusTrailers } from './answers.ts';
import type { HeaderField } from './hpack-decoder.ts';
import type { LaneStream, StreamReader } from './lane-stream.ts';

/** The texts of grpc-js, also where they could be better: nobody should see who answered. */
const EXPIRED = 'Deadline exceeded';
const NO_MESSAGE = 'Received no request message for server streaming method';
const SECOND_MESSAGE = 'Received a second request message for server streaming method';
const NOT_SERIALIZED = 'Error serializing response';
/** grpc-js takes such a message as if it were plain; gRPC wants it refused. */
const COMPRESSED = 'The message is marked as compressed, but grpc-encoding names no compression';

const EXPIRED_TRAILERS = statusTrailers(Code.DEADLINE_EXCEEDED, EXPIRED);
const NO_FIELDS: readonly HeaderField[] = [];
const NO_BYTES = Buffer.alloc(0);

/** What the headers of a call say. */
export interface RequestHead {
  readonly fields: readonly HeaderField[];
  /** What the fields take, as RFC 7541 counts them. */
  readonly bytes: number;
  /** The caller's; Infinity: none. */
  readonly timeoutMs: number;
}

/** One call on one stream, from its headers to the end of the stream. */
export class LaneTransport implements UnaryTransport<unknown>, StreamReader {
  bytes: Buffer = NO_BYTES;
  sizeBytes = 0;
  cancelled = false;
  readonly deadlineMs: number;
  trailers = OK_TRAILERS;
  readonly #endpoint: UnaryEndpoint;
  readonly #stream: LaneStream;
  /** None once the call is answered: the answer may wait for its reader. */
  #fields: readonly HeaderField[];
  readonly #headBytes: number;
  /** What has arrived; undefined once nothing more is looked at: the request is complete, or answered. */
  #message: RequestMessage | undefined;
  readonly #timer: NodeJS.Timeout | undefined = undefined;
  /** Of the request, headers and all, until it is looked at. */
  #heldBytes = 0;

  constructor(endpoint: UnaryEndpoint, stream: LaneStream, { fields, bytes, timeoutMs }: RequestHead) {
    this.#endpoint = endpoint;
    this.#stream = stream;
    this.#fields = fields;
    this.#headBytes = bytes;
    this.#message = new RequestMessage(endpoint.messageBytesMax);
    this.deadlineMs = timeoutMs === Infinity ? Infinity : Date.now() + timeoutMs;
    // Node keeps timers of equal length in one list, so that one per call costs next to nothing.
    if (timeoutMs !== Infinity) this.#timer = setTimeout(() => this.#expire(), timeoutMs);
  }

  header(name: string): string | undefined {
    let value: string | undefined;
    for (const [other, text] of this.#fields) {
      if (other === name) value = value === undefined ? text : `${value}, ${text}`;
    }
    return value;
  }

  succeed(response: unknown): void {
    if (!this.#stream.canAnswer) return;
    let message: Buffer;
    try {
      message = this.#endpoint.encode(response);
    } catch {
      this.#end(Code.INTERNAL, NOT_SERIALIZED);
      return;
    }
    this.#fields = NO_FIELDS;
    this.#stream.answer(messageHeaders(), message);
  }

  fail({ code, details, metadata }: CallError): void {
    this.#end(code, details, metadata);
  }

  begin(): void {
    this.#hold(this.#headBytes);
    if (!this.#endpoint.admission.awaitsRequests) this.hurry();
  }

  receive(bytes: Buffer, last: boolean): void {
    if (this.#message === undefined) return;
    this.#hold(bytes.length);
    const fault = this.#message.push(bytes);
    if (!last) this.#message.own();
    if (fault !== undefined) this.#refuse(fault);
    else if (!this.#endpoint.admission.awaitsRequests) this.hurry();
  }

  receiveEnd(): void {
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

  hurry(): void {
    // Admission refuses it then, like everything new.
    if (this.#message !== undefined) this.#run(0);
  }

  closed(): void {
    clearTimeout(this.#timer);
    this.#cancel();
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
    this.trailers = EXPIRED_TRAILERS;
    this.#stream.giveUpAnswer();
    this.#end(Code.DEADLINE_EXCEEDED, EXPIRED);
    this.#cancel();
  }

  #cancel(): void {
    this.cancelled = true;
    this.#dropRequest();
  }

  #end(code: Code, text: string, metadata?: CallError['metadata']): void {
    this.#dropRequest();
    this.#fields = NO_FIELDS;
    if (this.#stream.canAnswer) this.#stream.answerWithHeaders(statusHeaders(code, text, metadata));
  }
}
