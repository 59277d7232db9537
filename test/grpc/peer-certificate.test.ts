/** Names in a certificate that are made to be taken for others. */

import type { PeerCertificate as NodeCertificate } from 'node:tls';

import { expect, test } from '@jest/globals';

import { peerCertificateOf } from '../../src/grpc/peer-certificate.ts';

const read = (subjectaltname: string | undefined, commonName: unknown) =>
  peerCertificateOf({
    getAuthContext: () => ({
      sslPeerCertificate: {
        subject: { CN: commonName },
        subjectaltname,
        fingerprint256: 'AB',
      } as NodeCertificate,
    }),
  });

test('there is none without a verified certificate', () => {
  expect(peerCertificateOf({ getAuthContext: () => ({}) })).toBeUndefined();
});

test.each<[string, string | undefined, readonly string[], readonly string[]]>([
  ['no names', undefined, [], []],
  [
    'names of every kind',
    'DNS:a.b, IP Address:10.0.0.1, URI:spiffe://x/y:z, email:c@d',
    ['a.b'],
    ['spiffe://x/y:z'],
  ],
  ['a quoted name', 'DNS:"a, DNS:admin", DNS:b', ['a, DNS:admin', 'b'], []],
  ['a quote in a quoted name', String.raw`URI:"x\", URI:admin", DNS:b`, ['b'], ['x", URI:admin']],
  ['a name that is not closed', 'DNS:a, URI:"admin', [], []],
  ['no name of a kind', 'DNS:a, admin', [], []],
])('%s', (_name, text, dnsNames, uris) => {
  expect(read(text, 'billing')).toEqual({ commonName: 'billing', dnsNames, uris, fingerprint256: 'AB' });
});

test.each([[undefined], [['billing', 'admin']]])('a subject with the common names %j has none', (names) => {
  expect(read('', names)?.commonName).toBe('');
});
