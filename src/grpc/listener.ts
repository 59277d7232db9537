/** The listening socket of a gRPC server: made here, because grpc-js cannot share a port. */

import { createServer, type AddressInfo, type Server as NetServer, type Socket } from 'node:net';

/** Where to listen; port 0: any free one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** How to listen. */
export interface ListenOptions {
  /** Several processes listen on the same address, each with a socket of its own. */
  readonly shared: boolean;
  /** Serves a connection. */
  readonly serve: (socket: Socket) => void;
  /** A connection could not be accepted, for want of file descriptors or memory. */
  readonly onRefused: (error: Error) => void;
}

/** An open listener. */
export interface Listener {
  readonly port: number;
  /** Takes no connection any more; those that there are stay. */
  close(): void;
  /** Resolves once every connection is closed, its last answers flushed. */
  allClosed(): Promise<void>;
  /** Cuts every connection that is left. */
  destroyAll(): void;
}

/** Where the kernel itself can spread connections over the processes that listen on one port. */
const REUSES_PORTS = process.platform === 'linux' || process.platform === 'freebsd';

/**
 * Listens and serves every connection. (Where the address is shared, the cluster module
 * would hand connections out over a channel; those on their way to a process that is just being
 * killed are never answered, and their clients wait 20 s.) Rejects where the address is taken.
 */
export function listen(
  address: ListenAddress,
  { shared, serve, onRefused }: ListenOptions,
): Promise<Listener> {
  const sockets = new Set<Socket>();
  const listener = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    serve(socket);
  });
  return new Promise((resolve, reject) => {
    listener.once('error', reject);
    listener.listen({ ...address, backlog: BACKLOG, ...sharing(shared) }, () => {
      listener.off('error', reject);
      // Without a listener, the first one would end the process and every call in it.
      listener.on('error', onRefused);
      resolve({
        port: portOf(listener),
        close: () => listener.close(),
        allClosed: async () => {
          await Promise.all([...sockets].map(closed));
        },
        destroyAll: () => {
          for (const socket of sockets) socket.destroy();
        },
      });
    });
  });
}

/** Connections that wait for `accept`: a restart brings every client back at once. */
const BACKLOG = 4096;

function sharing(shared: boolean): { readonly exclusive?: boolean; readonly reusePort?: boolean } {
  if (!shared) return { exclusive: true };
  return REUSES_PORTS ? { reusePort: true } : {};
}

/** Resolves also where an error comes first, as after a reset: it ends the one connection, no wait for others. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
  });
}

function portOf(listener: NetServer): number {
  return (listener.address() as AddressInfo).port;
}
