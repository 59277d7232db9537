/** Which client certificate is whose. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import type { PeerCertificate } from '../../../src/grpc/peer-certificate.ts';
import type { CallOrigin } from '../../../src/grpc/principal.ts';
import { createLogger } from '../../../src/observability/logger.ts';
import type { KnownKey } from '../../../src/tenants/credentials/api-keys.ts';
import { Authenticator } from '../../../src/tenants/credentials/authenticator.ts';
import { credentialFaults } from '../../../src/tenants/credentials/check-files.ts';
import {
  parseClientIdentities,
  principalOfCertificate,
} from '../../../src/tenants/credentials/client-identities.ts';
import { FreshRows } from '../../../src/tenants/credentials/fresh-rows.ts';
import { DEFAULT_SETTINGS, type Tenant } from '../../../src/tenants/tenant.ts';

const directory = mkdtempSync(join(tmpdir(), 'charge-identities-'));
const file = join(directory, 'identities.json');
beforeAll(() =>
  writeFileSync(file, JSON.stringify([{ uri: 'spiffe://example.org/a', tenant: 'acme', scopes: ['read'] }])),
);
afterAll(() => rmSync(directory, { recursive: true }));

const NONE: PeerCertificate = { commonName: '', uris: [], dnsNames: [], fingerprint256: '00' };
const identities = parseClientIdentities(
  JSON.stringify([
    { uri: 'spiffe://example.org/billing', tenant: 'acme', scopes: ['record', 'READ'] },
    { dns: 'reports.example.org', tenant: 'globex', scopes: ['read'], user_profile: 'alice' },
    { common_name: 'operator', tenant: 'default', scopes: ['admin'] },
  ]),
);

test.each<[Partial<PeerCertificate>, object | undefined]>([
  [
    { uris: ['spiffe://example.org/billing'] },
    { tenant: 'acme', name: 'certificate:spiffe://example.org/billing', scopes: new Set(['RECORD', 'READ']) },
  ],
  [{ dnsNames: ['x', 'reports.example.org'] }, { tenant: 'globex', userProfile: 'alice' }],
  [{ commonName: 'operator' }, { tenant: 'default' }],
  // A name of one kind is none of another kind.
  [{ commonName: 'reports.example.org' }, undefined],
  [{ dnsNames: ['operator'] }, undefined],
  [{ uris: ['spiffe://example.org/billing/x'] }, undefined],
  [{}, undefined],
])('%j', (names, expected) => {
  const principal = principalOfCertificate(identities, { ...NONE, ...names });
  if (expected === undefined) expect(principal).toBeUndefined();
  else expect(principal).toMatchObject(expected);
});

test.each([
  ['{}', 'it must hold a JSON list'],
  ['[{"uri":"a","tenant":"acme"}]', 'entry 1: scopes must be a list of record, read'],
  ['[{"uri":"a","tenant":"acme","scopes":["all"]}]', 'entry 1: scopes must be'],
  ['[{"uri":"a","tenant":"*","scopes":["read"]}]', 'entry 1: tenant must be the id of a tenant'],
  ['[{"tenant":"acme","scopes":["read"]}]', 'entry 1: it must have one of uri, dns, common_name'],
  ['[{"uri":"a","dns":"b","tenant":"acme","scopes":["read"]}]', 'entry 1: it must have one of'],
  ['[{"uri":"","tenant":"acme","scopes":["read"]}]', 'entry 1: uri must be a text'],
  [
    '[{"uri":"a","tenant":"acme","scopes":["read"],"user_profile":""}]',
    'entry 1: user_profile must be a text',
  ],
  ['[{"uri":"a","tenant":"acme","scopes":["read"],"userProfile":"b"}]', 'entry 1: userProfile is not known'],
])('a file with %s is refused', (text, fault) => {
  expect(() => parseClientIdentities(text)).toThrow(fault);
});

test('a file that cannot be used stops the start', () => {
  const settings = { required: true, jwt: undefined, clientIdentitiesFile: join(directory, 'missing.json') };
  expect(credentialFaults(settings)).toEqual([
    expect.stringMatching(/^TLS_CLIENT_IDENTITIES_FILE names a file that cannot be used: ENOENT/),
  ]);
  expect(credentialFaults({ ...settings, clientIdentitiesFile: file })).toEqual([]);
});

function openAuthenticator() {
  const acme: Tenant = {
    ...DEFAULT_SETTINGS,
    tenant: 'acme',
    displayName: '',
    createTimeMicros: 0n,
    suspendTimeMicros: undefined,
  };
  const authenticator = new Authenticator({
    settings: { required: true, jwt: undefined, clientIdentitiesFile: file },
    keys: new FreshRows<KnownKey>(() => Promise.resolve(new Map())),
    tenants: { find: (id) => ({ ...acme, tenant: id }) },
    logger: createLogger('silent', 'test'),
    refused: () => undefined,
  });
  const callWith = (certificate: PeerCertificate | undefined, header?: string) => {
    const call: CallOrigin = { peer: '10.0.0.1:1', header: () => header, certificate: () => certificate };
    return authenticator.authenticate(call);
  };
  return { callWith, refresh: () => authenticator.refresh() };
}

test('a call is for the tenant that its certificate is mapped to, as the file says now', () => {
  const { callWith, refresh } = openAuthenticator();
  const mapped = { ...NONE, uris: ['spiffe://example.org/a'] };
  expect(callWith(mapped)).toMatchObject({ tenant: 'acme', scopes: new Set(['READ']) });
  expect(callWith({ ...NONE, fingerprint256: '01' })).toMatchObject({ metadata: { cause: 'MISSING' } });
  expect(callWith(undefined)).toMatchObject({ metadata: { cause: 'MISSING' } });
  // A credential that is presented is verified, whatever the certificate.
  expect(callWith(mapped, 'Basic x')).toMatchObject({ metadata: { cause: 'MALFORMED' } });

  writeFileSync(file, '[');
  refresh();
  expect(callWith(mapped)).toMatchObject({ tenant: 'acme' });
  writeFileSync(
    file,
    JSON.stringify([{ uri: 'spiffe://example.org/a', tenant: 'globex', scopes: ['read'] }]),
  );
  refresh();
  expect(callWith(mapped)).toMatchObject({ tenant: 'globex' });
  writeFileSync(file, '[]');
  refresh();
  expect(callWith(mapped)).toMatchObject({ metadata: { cause: 'MISSING' } });
});

test('if a process never could use the file, a call with a certificate can be sent again later', () => {
  const text = JSON.stringify([{ uri: 'spiffe://example.org/a', tenant: 'acme', scopes: ['read'] }]);
  writeFileSync(file, '[');
  const { callWith, refresh } = openAuthenticator();
  const mapped = { ...NONE, uris: ['spiffe://example.org/a'] };
  const failure = { code: 'UNAVAILABLE', reason: 'ISSUER_UNAVAILABLE' };
  expect(() => callWith(mapped)).toThrow(
    expect.objectContaining({ failure: expect.objectContaining(failure) }),
  );
  expect(callWith(undefined)).toMatchObject({ metadata: { cause: 'MISSING' } });
  writeFileSync(file, text);
  refresh();
  expect(callWith(mapped)).toMatchObject({ tenant: 'acme' });
});
