/** A TCP proxy that can go silent without closing anything: a network that drops packets. */

import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A proxy in front of one server. */
export interface Proxy {
  readonly port: number;
  /** From now on nothing is passed on, in either direction, on old and new connections. */
  blackhole(): void;
  /** Passes on again, on new connections; the old ones stay silent. */
  heal(): void;
  /** Closes every open connection. */
  cut(): void;
  close(): Promise<void>;
}

/** Listens on a free port of 127.0.0.1 and forwards to `target`. */
export async function openProxy(target: { readonly host: string; readonly port: number }): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let silent = false;
  const server = createServer((client) => {
    sockets.add(client);
    client.on('error', () => undefined);
    if (silent) return;
    const upstream = connect(target);
    sockets.add(upstream);
    upstream.on('error', () => client.destroy());
    upstream.on('close', () => client.destroy());
    client.on('close', () => upstream.destroy());
    client.pipe(upstream).pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    blackhole: () => {
      silent = true;
      for (const socket of sockets) socket.unpipe().pause();
    },
    heal: () => (silent = false),
    cut: () => {
      for (const socket of sockets) socket.destroy();
      sockets.clear();
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
