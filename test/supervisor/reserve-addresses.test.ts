import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

import { expect, test } from '@jest/globals';

import { reserveAddresses } from '../../src/supervisor/reserve-addresses.ts';

const loopback = (port = 0) => ({ host: '127.0.0.1', port });

/** A server of somebody else. */
async function occupy(port = 0): Promise<{ port: number; free: () => Promise<void> }> {
  const server = createServer().listen({ ...loopback(port), exclusive: true });
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    free: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

test('gives every address its port, lets nobody else have it, and frees it again', async () => {
  const { addresses, release } = await reserveAddresses({ LISTEN: loopback(), METRICS_LISTEN: loopback() });
  const { LISTEN, METRICS_LISTEN } = addresses;
  expect(LISTEN.port).not.toBe(METRICS_LISTEN.port);
  for (const { port } of [LISTEN, METRICS_LISTEN]) await expect(occupy(port)).rejects.toThrow('EADDRINUSE');
  await release();
  for (const { port } of [LISTEN, METRICS_LISTEN]) await (await occupy(port)).free();
});

test('names the variable, the address and the reason, and keeps nothing', async () => {
  const taken = await occupy();
  const free = await occupy();
  await free.free();
  const reserve = (address: { host: string; port: number }) =>
    reserveAddresses({ LISTEN: loopback(free.port), METRICS_LISTEN: address });
  try {
    for (const [address, words] of [
      [loopback(taken.port), `127.0.0.1:${taken.port} (METRICS_LISTEN): listen EADDRINUSE`],
      // Both variables have one address.
      [loopback(free.port), `127.0.0.1:${free.port} (METRICS_LISTEN): listen EADDRINUSE`],
      // For documentation: no machine has it.
      [{ host: '192.0.2.1', port: 0 }, '192.0.2.1:0 (METRICS_LISTEN): listen EADDRNOTAVAIL'],
      [{ host: 'nosuchhost.invalid', port: 0 }, 'nosuchhost.invalid:0 (METRICS_LISTEN): getaddrinfo'],
    ] as const) {
      await expect(reserve(address)).rejects.toThrow(`cannot listen on ${words}`);
    }
    await (await occupy(free.port)).free();
  } finally {
    await taken.free();
  }
});
