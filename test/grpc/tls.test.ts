/** TLS as clients meet it: versions, handshakes that are not finished, certificates on both sides. */

import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';

import { credentials } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';

import { ChargeServiceClient } from '../../generated/charge/v1/charge_service.ts';
import type { PeerCertificate } from '../../src/grpc/peer-certificate.ts';
import { Authority, type Issued, serverCertificate, withOpenssl } from '../support/certificates.ts';
import { waitFor } from '../support/wait-for.ts';
import { frame, request } from './support/raw.ts';
import { call, chargeRequest, failureOf, type Fixture, EVERYTHING, startServer } from './support/server.ts';

const HANDSHAKE_MAX_MS = 600;
const CONNECTIONS_MAX = 20;

let authority: Authority;
let stranger: Authority;
let server: Issued;
let ca: string;
let fixture: Fixture;
let sockets: Socket[] = [];
let clients: ChargeServiceClient[] = [];
/** What each call said of its certificate. */
let presented: (PeerCertificate | undefined)[] = [];

/** A server, which asks for client certificates if there is a rule. */
async function start(
  clientCertificate?: 'optional' | 'required',
  handshakeMaxMs = HANDSHAKE_MAX_MS,
): Promise<void> {
  const certificate = serverCertificate(server, clientCertificate && ca);
  fixture = await startServer(
    { handshakeMaxMs, connectionsMax: CONNECTIONS_MAX },
    {
      tls: { certificate, clientCertificate: clientCertificate ?? 'required', ca },
      authenticate: (call) => {
        presented.push(call.certificate());
        return EVERYTHING;
      },
    },
  );
}

/** A connection without TLS. */
function openTcp(): Socket {
  const socket = connectTcp({ port: fixture.port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  sockets.push(socket);
  return socket;
}

/** Resolves after the handshake, rejects with the error of it. */
async function handshake(options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ port: fixture.port, host: '127.0.0.1', ca, ALPNProtocols: ['h2'], ...options });
  sockets.push(socket);
  await once(socket, 'secureConnect');
  socket.on('error', () => undefined);
  return socket;
}

/** A client, with a certificate of its own if it is given one. */
function newClient(own?: Issued): ChargeServiceClient {
  const [key, cert] = own === undefined ? [] : [Buffer.from(own.key), Buffer.from(own.cert)];
  const channel = credentials.createSsl(Buffer.from(ca), key, cert);
  const client = new ChargeServiceClient(`localhost:${fixture.port}`, channel, {
    'grpc.use_local_subchannel_pool': 1,
  });
  clients.push(client);
  return client;
}

withOpenssl('TLS', () => {
  beforeAll(async () => {
    [authority, stranger] = await Promise.all([Authority.create(), Authority.create()]);
    [server, ca] = await Promise.all([authority.issue(), authority.cert]);
  });
  afterAll(() => {
    authority.remove();
    stranger.remove();
  });
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    for (const client of clients) client.close();
    [sockets, clients, presented] = [[], [], []];
    await fixture.close();
    expect(fixture.logs).toEqual([]);
  });

  describe('handshakes', () => {
    test.each(['TLSv1.2', 'TLSv1.3'] as const)('%s is spoken', async (version) => {
      await start();
      const socket = await handshake({ minVersion: version, maxVersion: version });
      expect([socket.getProtocol(), socket.alpnProtocol]).toEqual([version, 'h2']);
    });

    test('older versions, weak suites and clients without HTTP/2 are refused', async () => {
      await start();
      const lax = { ciphers: 'DEFAULT@SECLEVEL=0', minVersion: 'TLSv1' } as const;
      for (const maxVersion of ['TLSv1', 'TLSv1.1'] as const) {
        await expect(handshake({ ...lax, maxVersion })).rejects.toMatchObject({
          code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
        });
      }
      const cbc = { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA' } as const;
      await expect(handshake(cbc)).rejects.toMatchObject({
        code: expect.stringContaining('HANDSHAKE_FAILURE'),
      });
      await expect(handshake({ ALPNProtocols: ['http/1.1'] })).rejects.toMatchObject({
        code: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL',
      });
      await waitFor('nothing to be left', () => fixture.server.load.connections === 0);
    });

    test('a client that does not say HTTP/2 gets no HTTP/2', async () => {
      await start();
      const socket = await handshake({ ALPNProtocols: [] });
      const [answer] = (await once(socket, 'data')) as [Buffer];
      expect(answer.toString()).toMatch(/^HTTP\/1.0 403/);
    });

    test('plain text fails at once', async () => {
      await start(undefined, 30_000);
      const startedAt = performance.now();
      const socket = openTcp();
      socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
      await once(socket, 'close');
      const plain = new ChargeServiceClient(fixture.address, credentials.createInsecure());
      clients.push(plain);
      expect((await failureOf(call(plain, 'createCharge', chargeRequest('plain')))).code).toBe('UNAVAILABLE');
      expect(performance.now() - startedAt).toBeLessThan(15_000);
    });

    test('one that is not finished in time is ended, however slowly it goes on', async () => {
      await start();
      openTcp();
      const trickle = openTcp();
      const startedAt = performance.now();
      // The header of a record of 512 bytes, and then a byte from time to time.
      trickle.write(Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]));
      const timer = setInterval(() => trickle.write(Buffer.alloc(1)), HANDSHAKE_MAX_MS / 10);
      await waitFor('both to be counted', () => fixture.server.load.connections === 2);
      await waitFor('the end of both', () => fixture.server.load.connections === 0);
      clearInterval(timer);
      expect(performance.now() - startedAt).toBeLessThan(10 * HANDSHAKE_MAX_MS);
      await call(newClient(), 'createCharge', chargeRequest('afterwards'));
    });

    test('those that are not finished take no place of a client that works', async () => {
      await start();
      const client = newClient();
      const create = (i: number) => call(client, 'createCharge', chargeRequest(`charge-${i}`));
      // More than what a connection sends that is in no use.
      for (let i = 0; i < 20; i++) await create(i);
      for (let i = 0; i < 3 * CONNECTIONS_MAX; i++) {
        openTcp();
        await create(100 + i);
        expect(fixture.server.load.connections).toBeLessThanOrEqual(CONNECTIONS_MAX);
      }
      // Nor do those that are finished, and then silent.
      for (let i = 0; i < 2 * CONNECTIONS_MAX; i++) {
        await handshake();
        await create(200 + i);
      }
      expect(fixture.server.load.connections).toBe(CONNECTIONS_MAX);
    });
  });

  describe('client certificates', () => {
    let own: Issued;
    let foreign: Issued;
    beforeAll(async () => {
      const names = 'URI:spiffe://example.org/billing,DNS:billing.example.org,DNS:b.example.org';
      [own, foreign] = await Promise.all([
        authority.client('billing', names),
        stranger.client('billing', names),
      ]);
    });
    const get = (client: ChargeServiceClient) =>
      failureOf(call(client, 'getCharge', { key: { $case: 'requestId', value: 'nobody' } }));

    test.each(['optional', 'required'] as const)('if %s, a verified one reaches every call', async (rule) => {
      await start(rule);
      const client = newClient(own);
      expect((await get(client)).code).toBe('NOT_FOUND');
      expect((await get(client)).code).toBe('NOT_FOUND');
      const record = client.recordCharges();
      record.on('error', () => undefined);
      record.write({ request: chargeRequest('streamed') });
      await once(record, 'data');
      record.cancel();
      const certificate = {
        commonName: 'billing',
        uris: ['spiffe://example.org/billing'],
        dnsNames: ['billing.example.org', 'b.example.org'],
        fingerprint256: expect.stringMatching(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/),
      };
      expect(presented).toEqual([certificate, certificate, certificate]);
      // Read once for a connection.
      expect(presented[1]).toBe(presented[0]);
      expect(presented[2]).toBe(presented[0]);
    });

    test('if required, clients without one are refused', async () => {
      await start('required');
      expect((await get(newClient())).code).toBe('UNAVAILABLE');
      expect(presented).toEqual([]);
    });

    test('if optional, clients without one have none, also on a resumed connection', async () => {
      await start('optional');
      expect((await get(newClient())).code).toBe('NOT_FOUND');
      const first = await handshake();
      const [session] = (await once(first, 'session')) as [Buffer];
      const resumed = await handshake({ session });
      expect(resumed.isSessionReused()).toBe(true);
      const http2 = connectHttp2(`https://127.0.0.1:${fixture.port}`, { createConnection: () => resumed });
      await request(http2, 'GetCharge', frame(Buffer.from([0x12, 1, 0x61])));
      http2.destroy();
      expect(presented).toEqual([undefined, undefined]);
    });

    test.each(['optional', 'required'] as const)('if %s, a stranger is refused', async (rule) => {
      await start(rule);
      expect((await get(newClient(foreign))).code).toBe('UNAVAILABLE');
      // A certificate for servers is none for clients.
      expect((await get(newClient(server))).code).toBe('UNAVAILABLE');
      expect(presented).toEqual([]);
    });
  });

  test('a new certificate is for new connections, and open ones go on', async () => {
    await start();
    const client = newClient();
    await call(client, 'createCharge', chargeRequest('before'));
    const { fingerprint256: before } = (await handshake()).getPeerCertificate();
    fixture.server.setCertificate(serverCertificate(await authority.issue()));
    expect((await handshake()).getPeerCertificate().fingerprint256).not.toBe(before);
    const { connections } = fixture.server.load;
    await call(client, 'createCharge', chargeRequest('after'));
    expect(fixture.server.load.connections).toBe(connections);
  });

  test('a drain answers what is in progress', async () => {
    await start();
    const client = newClient();
    fixture.journal.hold();
    const running = call(client, 'createCharge', chargeRequest('in progress'));
    await waitFor('the call', () => fixture.journal.heldGroups === 1);
    const drained = fixture.server.drain(10_000);
    fixture.journal.release();
    expect((await running).charge).toBeDefined();
    await drained;
    expect(fixture.server.load.connections).toBe(0);
  });

  test('bytes of a message over several records arrive whole', async () => {
    await start();
    const requests = Array.from({ length: 500 }, (_, i) =>
      chargeRequest(`large-${i}`, { reference: 'x'.repeat(255) }),
    );
    const { results } = await call(newClient(), 'batchCreateCharges', { requests });
    expect(results).toHaveLength(500);
  });
});
