/** The same attacks by clients that have finished their TLS handshake. */

import { afterAll } from '@jest/globals';

import { Authority, serverCertificate, withOpenssl } from '../support/certificates.ts';
import { testAttacks } from './support/attacks.ts';

withOpenssl('over TLS', () => {
  let authority: Authority | undefined;
  afterAll(() => authority?.remove());
  testAttacks(async () => {
    authority = await Authority.create();
    const certificate = serverCertificate(await authority.issue());
    return { certificate, clientCertificate: 'optional', ca: await authority.cert };
  });
});
