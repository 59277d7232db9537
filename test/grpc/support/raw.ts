/** Requests that no gRPC client would send, straight over HTTP/2. */

import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
} from 'node:http2';

/** What came back, whatever it was. */
export interface RawResponse {
  readonly httpStatus: number | undefined;
  readonly grpcStatus: number | undefined;
  /** Headers and trailers in one. */
  readonly trailers: Readonly<Record<string, unknown>>;
  /** The headers alone. */
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
  readonly rstCode: number;
}

/** Opens a connection, over TLS if there is an authority that it trusts; close it with `destroy()`. */
export function connectRaw(address: string, options: SecureClientSessionOptions = {}): ClientHttp2Session {
  const session = connect(`${options.ca === undefined ? 'http' : 'https'}://${address}`, options);
  session.on('error', () => {});
  return session;
}

/** A gRPC frame around a payload. */
export function frame(payload: Uint8Array, compressed = 0, length = payload.length): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt8(compressed, 0);
  header.writeUInt32BE(length, 1);
  return Buffer.concat([header, payload]);
}

/** Begins a request, whose body is still to come. */
export function open(
  session: ClientHttp2Session,
  method: string,
  headers: OutgoingHttpHeaders = {},
): ClientHttp2Stream {
  const stream = session.request({
    ':method': 'POST',
    ':path': `/charge.v1.ChargeService/${method}`,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  stream.on('error', () => {});
  return stream;
}

/** What comes back on a stream, once it is closed. */
export function responseOf(stream: ClientHttp2Stream): Promise<RawResponse> {
  return new Promise((resolve) => {
    let headers: Record<string, unknown> = {};
    let trailers: Record<string, unknown> = {};
    const body: Buffer[] = [];
    stream.on('response', (received: object) => {
      headers = { ...received };
    });
    stream.on('trailers', (received: object) => {
      trailers = { ...received };
    });
    stream.on('data', (chunk: Buffer) => body.push(chunk));
    stream.on('close', () => {
      const all = { ...headers, ...trailers };
      resolve({
        httpStatus: ':status' in all ? Number(all[':status']) : undefined,
        grpcStatus: 'grpc-status' in all ? Number(all['grpc-status']) : undefined,
        trailers: all,
        headers,
        body: Buffer.concat(body),
        rstCode: stream.rstCode ?? constants.NGHTTP2_NO_ERROR,
      });
    });
  });
}

/** Sends one request and waits for its end; parts of a body go out one after the other. */
export async function request(
  session: ClientHttp2Session,
  method: string,
  body: Uint8Array | readonly Uint8Array[] | undefined,
  headers: OutgoingHttpHeaders = {},
): Promise<RawResponse> {
  const stream = open(session, method, headers);
  const response = responseOf(stream);
  for (const part of body instanceof Uint8Array ? [body] : (body ?? [])) {
    // Waiting for each keeps node:http2 from joining them.
    await new Promise<void>((sent) => {
      if (stream.closed) sent();
      else stream.write(part, () => sent());
    });
  }
  stream.end();
  return response;
}
