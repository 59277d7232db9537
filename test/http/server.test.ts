/** The HTTP port over TLS. */

import { once } from 'node:events';
import { get } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { type HttpServer, openHttpServer } from '../../src/http/server.ts';
import { Authority, type Issued, serverCertificate, withOpenssl } from '../support/certificates.ts';

const sources = {
  metrics: () => Promise.resolve({ body: 'charge_ready 1\n', contentType: 'text/plain' }),
  readiness: () => ({ ready: false, checks: {} }),
};

let authority: Authority;
let ca: string;
let issued: Issued;
let server: HttpServer;

const ask = (path: string): Promise<{ status: number | undefined; body: string }> =>
  new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port: server.address.port, path, ca }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode, body }));
    }).on('error', reject);
  });

const handshake = async (options: object = {}): Promise<TLSSocket> => {
  const socket = connect({ host: '127.0.0.1', port: server.address.port, ca, ...options });
  await once(socket, 'secureConnect');
  return socket;
};

withOpenssl('over TLS', () => {
  beforeEach(async () => {
    authority = await Authority.create();
    [ca, issued] = await Promise.all([authority.cert, authority.issue()]);
    const address = { host: '127.0.0.1', port: 0 };
    // Clients of this port have no certificates: the probes of Kubernetes cannot.
    server = await openHttpServer(address, sources, serverCertificate(issued, ca));
  });
  afterEach(async () => {
    await server.close();
    authority.remove();
  });

  test('health and metrics are answered, to clients without a certificate', async () => {
    expect(await ask('/livez')).toEqual({ status: 200, body: 'alive\n' });
    expect((await ask('/readyz')).status).toBe(503);
    expect((await ask('/metrics')).body).toBe('charge_ready 1\n');
  });

  test('older versions are refused, and plain text and handshakes that do not go on are ended', async () => {
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' };
    await expect(handshake(old)).rejects.toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
    const plain = connectTcp(server.address.port, '127.0.0.1');
    plain.write('GET /livez HTTP/1.1\r\n\r\n');
    await once(plain, 'close');
    const silent = connectTcp(server.address.port, '127.0.0.1');
    await once(silent, 'close');
    expect((await ask('/livez')).status).toBe(200);
  });

  test('a new certificate is for new connections', async () => {
    const before = (await handshake()).getPeerCertificate().fingerprint256;
    server.setCertificate(serverCertificate(await authority.issue()));
    const after = await handshake();
    expect(after.getPeerCertificate().fingerprint256).not.toBe(before);
    expect((await ask('/livez')).status).toBe(200);
  });
});
