/** The listening socket of a gRPC server: made here, because grpc-js cannot share a port. */

import { createServer, type AddressInfo, type Server as NetServer, type Socket } from 'node:net';
import type { Server as TlsServer, TLSSocket } from 'node:tls';

import { secureContextOptions, type ServerCertificate } from '../tls/certificate.ts';
import type { RpcLimits } from './limits.ts';
import { connectionBelow, createSecureServer, prepareSecure, type ListenerTls } from './secure-server.ts';

/** Where to listen; port 0: any free one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** How to listen. */
export interface ListenOptions {
  /** Several processes listen on the same address, each with a socket of its own. */
  readonly shared: boolean;
  /** A connection above `connectionsMax` takes the place of the oldest that has sent next to nothing. */
  readonly limits: Pick<RpcLimits, 'connectionsMax' | 'handshakeMaxMs'>;
  /** Undefined: plain text. */
  readonly tls: ListenerTls | undefined;
  /** Serves a connection, after its TLS handshake. */
  readonly serve: (socket: Socket) => void;
  /** A connection could not be accepted because file descriptors or memory ran out. */
  readonly onRefused: (error: Error) => void;
}

/** An open listener. */
export interface Listener {
  readonly port: number;
  /** Shows this certificate to new connections. Only with TLS. */
  setCertificate(certificate: ServerCertificate): void;
  /** How many are open. */
  readonly connections: number;
  /** Accepts no connection any more; open ones stay open. */
  close(): void;
  /** Resolves once every connection is closed, after its last answers were sent. */
  allClosed(): Promise<void>;
  /** Closes every connection that is left, without its last answers. */
  destroyAll(): void;
}

/** On these systems the kernel spreads connections over the processes that listen on one port. */
const REUSES_PORTS = process.platform === 'linux' || process.platform === 'freebsd';

/**
 * Listens and serves every connection. Rejects if the address is taken. (For a shared address, the
 * cluster module would pass connections over a channel: those on their way to a process that is being
 * killed are never answered, and their clients wait 20 s.)
 */
export function listen(
  address: ListenAddress,
  { shared, limits, tls, serve, onRefused }: ListenOptions,
): Promise<Listener> {
  const listener =
    tls === undefined ? createServer({ noDelay: true }) : createSecureServer(tls, limits.handshakeMaxMs);
  const connections: Connections = new Map();
  listener.on('connection', (socket: Socket) => {
    connections.set(socket, tls === undefined ? socket : undefined);
    socket.once('close', () => connections.delete(socket));
    if (connections.size > limits.connectionsMax) closeOldestSilent(connections);
    if (tls === undefined && !socket.destroyed) serve(socket);
  });
  listener.on('secureConnection', (secure: TLSSocket) => {
    if (!prepareSecure(secure)) {
      secure.destroy();
      return;
    }
    connections.set(connectionBelow(secure), secure);
    serve(secure);
  });
  return new Promise((resolve, reject) => {
    listener.once('error', reject);
    listener.listen({ ...address, ...sharing(shared) }, () => {
      listener.off('error', reject);
      // Without a listener, the first error would end the process and every call in it.
      listener.on('error', onRefused);
      resolve({
        port: portOf(listener),
        get connections() {
          return connections.size;
        },
        setCertificate: (certificate) =>
          (listener as TlsServer).setSecureContext(secureContextOptions(certificate)),
        close: () => listener.close(),
        allClosed: async () => {
          await Promise.all([...connections.keys()].map(closed));
        },
        destroyAll: () => {
          for (const socket of connections.keys()) socket.destroy();
        },
      });
    });
  });
}

/** Open connections, the oldest first, each with the socket that clients send to: none during a TLS handshake. */
type Connections = Map<Socket, Socket | undefined>;

/** What a client sends before and with its first calls. */
const SILENT_BYTES_MAX = 1024;

/** Closes the oldest connection that has sent at most 1 KiB. If all others are in use, that is the new one. */
function closeOldestSilent(connections: Connections): void {
  for (const [socket, sent] of connections) {
    if (sent !== undefined && sent.bytesRead > SILENT_BYTES_MAX) continue;
    connections.delete(socket);
    socket.destroy();
    return;
  }
}

function sharing(shared: boolean): { readonly exclusive?: boolean; readonly reusePort?: boolean } {
  if (!shared) return { exclusive: true };
  return REUSES_PORTS ? { reusePort: true } : {};
}

/** Resolves after an error, such as a reset, too: it ends this connection, not the wait for the others. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
  });
}

function portOf(listener: NetServer): number {
  return (listener.address() as AddressInfo).port;
}
