/** grpcurl over TLS, as docs/tls.md shows it. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { Authority, type Issued, serverCertificate, withOpenssl } from '../support/certificates.ts';
import { openTestServer, type TestServer } from '../support/server.ts';
import { openTestStore, type TestStore } from '../support/store.ts';
import { findGrpcurl, skipNote, startTool } from '../support/tools.ts';

const program = await findGrpcurl();
const testWithGrpcurl = program.path === undefined ? test.skip : test;
const skipped = skipNote('grpcurl', program);

withOpenssl(`grpcurl over TLS${skipped}`, () => {
  let authority: Authority;
  let store: TestStore;
  let server: TestServer;
  let issued: Issued;
  let client: Issued;
  beforeAll(async () => {
    [authority, store] = await Promise.all([Authority.create(), openTestStore()]);
    const ca = await authority.cert;
    [issued, client] = await Promise.all([authority.issue(), authority.client('billing')]);
    const certificate = serverCertificate(issued, ca);
    server = await openTestServer(store.url, { tls: { certificate, clientCertificate: 'required', ca } });
  });
  afterAll(async () => {
    await server.close();
    await store.close();
    authority.remove();
  });

  const list = (...flags: string[]) =>
    startTool(program.path ?? '', ['-connect-timeout', '5', ...flags, server.address, 'list']).ended;

  testWithGrpcurl('it lists the services, trusting the authority or the certificate itself', async () => {
    const own = ['-cert', client.certFile, '-key', client.keyFile];
    for (const trusted of [authority.certFile, issued.certFile]) {
      const { status, stdout } = await list('-cacert', trusted, ...own);
      expect([status, stdout]).toEqual([0, expect.stringContaining('charge.v1.ChargeService')]);
    }
  });

  testWithGrpcurl('it is refused without a certificate, and in plain text', async () => {
    expect((await list('-cacert', authority.certFile)).status).not.toBe(0);
    expect((await list('-plaintext')).status).not.toBe(0);
  });
});
