/** Takes the service's addresses before anything else is started, so that a start that cannot succeed ends at once. */

import { createServer, type AddressInfo } from 'node:net';

import { type Address, formatAddress } from '../config.ts';
import { StartError } from '../errors/start-error.ts';

/** Addresses that nobody else can take. */
export interface ReservedAddresses<T extends string> {
  /** With their real ports (0: a free one). */
  readonly addresses: Readonly<Record<T, Address>>;
  /** Frees them for the servers that are about to listen there. Any number of calls. */
  readonly release: () => Promise<void>;
}

/**
 * Binds every address, by the name of its variable. Rejects with a message that names the variable, the address and the
 * reason if that fails. Server processes share a port with SO_REUSEPORT, which would let a second service with another
 * database share it too, without anybody noticing. So the addresses are bound without sharing. The embedded servers,
 * which choose their ports after that, cannot choose one of these.
 */
export async function reserveAddresses<T extends string>(
  wanted: Readonly<Record<T, Address>>,
): Promise<ReservedAddresses<T>> {
  const stack = new AsyncDisposableStack();
  const addresses: Record<T, Address> = { ...wanted };
  try {
    for (const variable of Object.keys(wanted) as T[]) {
      const { port, close } = await bind(variable, wanted[variable]);
      stack.defer(close);
      addresses[variable] = { host: wanted[variable].host, port };
    }
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
  return { addresses, release: () => stack.disposeAsync() };
}

function bind(variable: string, address: Address): Promise<{ port: number; close: () => Promise<void> }> {
  return new Promise((resolve, reject) => {
    // Nobody serves yet: a client that connects sees at once that it has to try again.
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error) => {
      reject(new StartError(`cannot listen on ${formatAddress(address)} (${variable}): ${error.message}`));
    });
    server.listen({ host: address.host, port: address.port, exclusive: true }, () => {
      const { port } = server.address() as AddressInfo;
      resolve({ port, close: () => new Promise((closed) => server.close(() => closed())) });
    });
  });
}
