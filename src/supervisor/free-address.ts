/** Makes sure that the service's address is free, before processes share it. */

import { createServer, type AddressInfo } from 'node:net';

import { type Address, formatAddress } from '../config.ts';

/**
 * Resolves to the address with its real port (0: a free one). Server processes share a port with
 * SO_REUSEPORT, which would also let a second service in, unnoticed, on another database; taken
 * once without sharing, the address is known to be nobody else's. Rejects with a message that
 * names the variable.
 */
export function findFreeAddress(address: Address, variable: string): Promise<Address> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error) => {
      reject(new Error(`cannot listen on ${formatAddress(address)} (${variable}): ${error.message}`));
    });
    probe.listen({ host: address.host, port: address.port, exclusive: true }, () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve({ host: address.host, port }));
    });
  });
}
