/** TLS below gRPC. */

import type { Socket } from 'node:net';
import {
  createServer,
  type DetailedPeerCertificate,
  type PeerCertificate,
  type Server,
  type TLSSocket,
} from 'node:tls';

import {
  type ClientCertificateRule,
  secureContextOptions,
  type ServerCertificate,
} from '../tls/certificate.ts';

/** What a listener shows its clients, and what it asks of them. */
export interface ListenerTls {
  readonly certificate: ServerCertificate;
  readonly clientCertificate: ClientCertificateRule;
}

/** A server that emits `connection` at once, and `secureConnection` for those whose handshake succeeds in time. */
export function createSecureServer(
  { certificate, clientCertificate }: ListenerTls,
  handshakeMaxMs: number,
): Server {
  const asksClients = certificate.clientCa !== undefined;
  const server = createServer({
    ...secureContextOptions(certificate),
    noDelay: true,
    handshakeTimeout: handshakeMaxMs,
    ALPNProtocols: ['h2'],
    requestCert: asksClients,
    rejectUnauthorized: asksClients && clientCertificate === 'required',
  });
  // Node only tells that a handshake takes too long, and would leave the connection open.
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  return server;
}

/** Makes a connection ready for grpc-js. False: the client presented a certificate that cannot be verified. */
export function prepareSecure(socket: TLSSocket): boolean {
  // HTTP/2 listens for errors too, but not on a connection that ends before it begins.
  socket.on('error', () => undefined);
  const certificate: Partial<PeerCertificate> = socket.getPeerCertificate();
  // grpc-js reads it for each call that asks for it, and Node takes 70 µs each time.
  socket.getPeerCertificate = () => certificate as DetailedPeerCertificate;
  return socket.authorized || certificate.raw === undefined;
}

/** The TCP connection that carries a TLS connection. Node has no public name for it. */
export function connectionBelow(socket: TLSSocket): Socket {
  const { _parent } = socket as TLSSocket & { readonly _parent?: Socket };
  if (_parent === undefined) throw new TypeError('Node does not tell the connection below a TLS connection');
  return _parent;
}
