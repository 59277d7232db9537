/** Checks that the service's address is free, before several processes share it. */

import { createServer, type AddressInfo } from 'node:net';

import { type Address, formatAddress } from '../config.ts';

/**
 * Resolves to the address with its real port (0: a free one). Rejects with a message that names the
 * variable if the address is taken. Server processes share a port with SO_REUSEPORT, which would let a
 * second service with another database share it too, without anybody noticing. So the address is bound
 * once without sharing, which fails if it is in use.
 */
export function checkAddress(address: Address, variable: string): Promise<Address> {
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
