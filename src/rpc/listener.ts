/** The listening socket of a gRPC server: made here, because grpc-js cannot share a port. */

import { createServer, type AddressInfo, type Server as NetServer } from 'node:net';

import { type Server, ServerCredentials } from '@grpc/grpc-js';

import { prepareHttp2Servers, type StreamTaker } from './http2-servers.ts';

/** Where to listen; port 0: any free one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** How to listen. */
export interface ListenOptions {
  /** Several processes listen on the same address, each with a socket of its own. */
  readonly shared: boolean;
  /** Who sees new streams before grpc-js does, if anybody. */
  readonly take: StreamTaker | undefined;
  /** A connection could not be accepted, for want of file descriptors or memory. */
  readonly onRefused: (error: Error) => void;
}

/** An open listener. */
export interface Listener {
  readonly port: number;
  /** Takes no connection any more; those that there are stay. */
  close(): void;
}

/** Where the kernel itself can spread connections over the processes that listen on one port. */
const REUSES_PORTS = process.platform === 'linux' || process.platform === 'freebsd';

/**
 * Listens and hands every connection to the server. (Where the address is shared, the cluster module
 * would hand connections out over a channel; those on their way to a process that is just being
 * killed are never answered, and their clients wait 20 s.) Rejects where the address is taken.
 */
export function listen(
  server: Server,
  address: ListenAddress,
  { shared, take, onRefused }: ListenOptions,
): Promise<Listener> {
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  prepareHttp2Servers(server, take);
  const listener = createServer({ noDelay: true }, (socket) => injector.injectConnection(socket));
  return new Promise((resolve, reject) => {
    listener.once('error', reject);
    listener.listen({ ...address, backlog: BACKLOG, ...sharing(shared) }, () => {
      listener.off('error', reject);
      // Without a listener, the first one would end the process and every call in it.
      listener.on('error', onRefused);
      resolve({ port: portOf(listener), close: () => listener.close() });
    });
  });
}

/** Connections that wait for `accept`: a restart brings every client back at once. */
const BACKLOG = 4096;

function sharing(shared: boolean): { readonly exclusive?: boolean; readonly reusePort?: boolean } {
  if (!shared) return { exclusive: true };
  return REUSES_PORTS ? { reusePort: true } : {};
}

function portOf(listener: NetServer): number {
  return (listener.address() as AddressInfo).port;
}
