/** Requests that no gRPC client would send, straight over HTTP/2. */

import { type ClientHttp2Session, connect, constants, type OutgoingHttpHeaders } from 'node:http2';

/** What came back, whatever it was. */
export interface RawResponse {
  readonly httpStatus: number | undefined;
  readonly grpcStatus: number | undefined;
  readonly trailers: Readonly<Record<string, unknown>>;
  readonly rstCode: number;
}

/** Opens a connection; close it with `destroy()`. */
export function connectRaw(address: string): ClientHttp2Session {
  const session = connect(`http://${address}`);
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

/** Sends one request and waits for its end. */
export function request(
  session: ClientHttp2Session,
  method: string,
  body: Uint8Array | undefined,
  headers: OutgoingHttpHeaders = {},
): Promise<RawResponse> {
  return new Promise((resolve) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': `/charge.v1.ChargeService/${method}`,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    let httpStatus: number | undefined;
    let trailers: Record<string, unknown> = {};
    stream.on('response', (response) => {
      httpStatus = Number(response[':status']);
      trailers = { ...trailers, ...response };
    });
    stream.on('trailers', (received) => {
      trailers = { ...trailers, ...received };
    });
    stream.on('data', () => {});
    stream.on('error', () => {});
    stream.on('close', () => {
      const code = trailers['grpc-status'];
      const grpcStatus = code === undefined ? undefined : Number(code);
      resolve({ httpStatus, grpcStatus, trailers, rstCode: stream.rstCode ?? constants.NGHTTP2_NO_ERROR });
    });
    if (body === undefined) stream.end();
    else stream.end(body);
  });
}
