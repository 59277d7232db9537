/** Answers of unary calls as node:http2 sends them: the headers, frames and trailers of grpc-js. */

import { status as Code } from '@grpc/grpc-js';
import type { OutgoingHttpHeaders, ServerHttp2Stream, ServerStreamResponseOptions } from 'node:http2';

import { PREFIX_BYTES } from '../contract/wire.ts';

const STATUS_HEADERS: OutgoingHttpHeaders = { ':status': 200, 'content-type': 'application/grpc+proto' };
const MESSAGE_HEADERS: OutgoingHttpHeaders = {
  ...STATUS_HEADERS,
  'grpc-accept-encoding': 'identity,deflate,gzip',
  'grpc-encoding': 'identity',
};
const WITH_TRAILERS: ServerStreamResponseOptions = { waitForTrailers: true };
const WITHOUT_BODY: ServerStreamResponseOptions = { endStream: true };

/** What `grpc-message` can hold of a text, and its status; throws where the text has half a surrogate pair. */
export function statusTrailers(code: Code, text: string): OutgoingHttpHeaders {
  return { 'grpc-status': code, 'grpc-message': encodeURI(text) };
}

/** The trailers behind a message. */
export const OK_TRAILERS = statusTrailers(Code.OK, 'OK');

/** Whether an answer can still be sent. */
export function canAnswer(stream: ServerHttp2Stream): boolean {
  return !stream.headersSent && !stream.closed && !stream.destroyed;
}

/** Sends headers and a message; the stream asks for its trailers when the caller has taken both. */
export function answerWithMessage(stream: ServerHttp2Stream, message: Buffer): void {
  const framed = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, PREFIX_BYTES);
  stream.respond(MESSAGE_HEADERS, WITH_TRAILERS);
  stream.end(framed);
}

/** Sends a status alone, which ends the stream; `more`: headers beside it. */
export function answerWithStatus(
  stream: ServerHttp2Stream,
  code: Code,
  text: string,
  more?: OutgoingHttpHeaders,
): void {
  stream.respond({ ...statusTrailers(code, text), ...STATUS_HEADERS, ...more }, WITHOUT_BODY);
}
