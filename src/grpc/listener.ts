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
  /** Connections at once. A further one takes the place of the oldest that has sent next to nothing. */
  readonly connectionsMax: number;
  /** Serves a connection. */
  readonly serve: (socket: Socket) => void;
  /** A connection could not be accepted because file descriptors or memory ran out. */
  readonly onRefused: (error: Error) => void;
}

/** An open listener. */
export interface Listener {
  readonly port: number;
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
  { shared, connectionsMax, serve, onRefused }: ListenOptions,
): Promise<Listener> {
  const sockets = new Set<Socket>();
  const listener = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    if (sockets.size > connectionsMax) closeOldestSilent(sockets);
    if (!socket.destroyed) serve(socket);
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
          return sockets.size;
        },
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

/** What a client sends before and with its first calls. */
const SILENT_BYTES_MAX = 1024;

/** Closes the oldest connection that has sent at most 1 KiB. If all others are in use, that is the new one. */
function closeOldestSilent(sockets: Set<Socket>): void {
  for (const socket of sockets) {
    if (socket.bytesRead > SILENT_BYTES_MAX) continue;
    sockets.delete(socket);
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
