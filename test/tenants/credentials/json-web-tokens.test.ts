/** Tokens of a self-made issuer, and those that attackers make. */

import { createSecretKey } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { exportSPKI, generateKeyPair } from 'jose';

import { OPEN } from '../../../src/tenants/credentials/settings.ts';
import { query, type TestDatabase } from '../../support/database.ts';
import { failureOf } from '../../support/errors.ts';
import { openTestServer, type TestServer } from '../../support/server.ts';
import { waitFor } from '../../support/wait-for.ts';
import { bearer, createTenantDatabase, createWith } from '../support/credentials.ts';
import { TestIssuer, type TokenOptions } from '../support/issuer.ts';

let database: TestDatabase;
let issuer: TestIssuer;
let server: TestServer;

const openWith = (jwt: TestIssuer['settings']) =>
  openTestServer(database.url, { credentials: { ...OPEN, required: true, jwt } });

beforeAll(async () => {
  database = await createTenantDatabase();
  issuer = await TestIssuer.start();
  server = await openWith(issuer.settings);
});
afterAll(async () => {
  await server.close();
  await issuer.down();
  await database.drop();
});

const record = (token: string, requestId = 'jwt', on = server) =>
  createWith(on.client, requestId, bearer(token));
const refusal = async (token: string, on = server) => {
  const { code, metadata } = await failureOf(record(token, 'refused', on));
  return [code, metadata['cause']];
};
const base64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

test('a token records for the tenant of its claim, and its keys are fetched once', async () => {
  const { charge } = await record(await issuer.token());
  const { charge: other } = await record(await issuer.token({ claims: { tenant: 'globex' } }));
  expect(charge?.id).not.toBe(other?.id);
  const rows = await query(database.url, 'SELECT tenant FROM charge ORDER BY tenant');
  expect(rows).toEqual([{ tenant: 'acme' }, { tenant: 'globex' }]);
  expect(issuer.fetches).toBe(1);
});

test.each<[string, TokenOptions['claims'], boolean]>([
  ['a text', { scope: 'read charge:record' }, true],
  ['a list', { scope: ['charge:record'] }, true],
  ['others', { scope: 'recording RECORD charge:admin' }, false],
  ['an object', { scope: { record: true } }, false],
  ['none', { scope: undefined }, false],
])('scopes as %s', async (_, claims, mayRecord) => {
  const recording = record(await issuer.token({ claims: { ...claims } }), `scopes-${_}`);
  if (mayRecord) await recording;
  else expect(await failureOf(recording)).toMatchObject({ metadata: { required_scope: 'SCOPE_RECORD' } });
});

describe('is refused:', () => {
  test('a signature with none', async () => {
    const [, payload] = (await issuer.token()).split('.');
    for (const alg of ['none', 'None', 'NONE']) {
      for (const signature of ['', 'AAAA']) {
        const token = `${base64({ alg, kid: 'key-1' })}.${payload}.${signature}`;
        expect(await refusal(token)).toEqual(['UNAUTHENTICATED', 'INVALID']);
      }
    }
  });

  test('HS256 with the public key as the secret', async () => {
    for (const secret of [await exportSPKI(issuer.publicKey), await issuer.jwks()]) {
      const token = await issuer.token({ alg: 'HS256', key: createSecretKey(Buffer.from(secret)) });
      expect(await refusal(token)).toEqual(['UNAUTHENTICATED', 'INVALID']);
    }
  });

  test('the key of somebody else, by a known or an unknown name', async () => {
    const { privateKey } = await generateKeyPair('ES256');
    for (const kid of ['key-1', 'key-2', '../../etc/passwd', `' OR 1=1`]) {
      expect(await refusal(await issuer.token({ key: privateKey, kid }))).toEqual([
        'UNAUTHENTICATED',
        'INVALID',
      ]);
    }
  });

  test('a claim that was changed', async () => {
    const [header, payload, signature] = (await issuer.token()).split('.');
    const claims = JSON.parse(Buffer.from(payload ?? '', 'base64url').toString()) as object;
    const token = `${header}.${base64({ ...claims, tenant: 'globex' })}.${signature}`;
    expect(await refusal(token)).toEqual(['UNAUTHENTICATED', 'INVALID']);
  });
});

describe('is refused too:', () => {
  // Twenty failures from one address are a lot for one server.
  let another: TestServer;
  beforeAll(async () => {
    another = await openWith(issuer.settings);
  });
  afterAll(() => another.close());

  const now = Math.floor(Date.now() / 1000);
  test.each<[string, TokenOptions, string]>([
    ['another audience', { claims: { aud: 'another-service' } }, 'INVALID'],
    ['no audience', { claims: { aud: undefined } }, 'INVALID'],
    ['another issuer', { claims: { iss: 'https://issuer.example.evil' } }, 'INVALID'],
    ['one that has expired', { expiresInS: -31 }, 'EXPIRED'],
    ['no expiry', { claims: { exp: undefined } }, 'INVALID'],
    ['an expiry that is no number', { claims: { exp: 'never' } }, 'INVALID'],
    ['an expiry far ahead', { expiresInS: 25 * 60 * 60 }, 'INVALID'],
    ['one that is not valid yet', { claims: { nbf: now + 120 } }, 'INVALID'],
    ['no tenant', { claims: { tenant: undefined } }, 'INVALID'],
    ['a tenant that does not exist', { claims: { tenant: 'nobody' } }, 'INVALID'],
    ['every tenant', { claims: { tenant: '*' } }, 'INVALID'],
    ['SQL for a tenant', { claims: { tenant: `acme'; SET charge.tenant = '*` } }, 'INVALID'],
    ['a NATS subject for a tenant', { claims: { tenant: 'acme.>' } }, 'INVALID'],
    ['several tenants', { claims: { tenant: ['acme', 'globex'] } }, 'INVALID'],
    ['an empty user profile', { claims: { user_profile: '' } }, 'INVALID'],
    ['a user profile that is no text', { claims: { user_profile: 7 } }, 'INVALID'],
  ])('%s', async (_, options, cause) => {
    expect(await refusal(await issuer.token(options), another)).toEqual(['UNAUTHENTICATED', cause]);
  });
});

test('a clock that is half a minute off does not matter', async () => {
  const nbf = Math.floor(Date.now() / 1000) + 20;
  await record(await issuer.token({ claims: { nbf }, expiresInS: 300 }), 'clock');
  await record(await issuer.token({ expiresInS: -20 }), 'clock');
});

test('a token counts until it expires, also in the cache', async () => {
  const token = await issuer.token({ expiresInS: -28 });
  await record(token, 'expiring');
  await waitFor(
    'the expiry',
    async () => (await failureOf(record(token, 'expiring'))).metadata['cause'] === 'EXPIRED',
  );
});

test('the suspension of the tenant counts for a token that was accepted before', async () => {
  const token = await issuer.token({ claims: { tenant: 'globex' } });
  await record(token, 'suspended');
  await query(database.url, `UPDATE tenant SET suspend_time = clock_timestamp() WHERE tenant = 'globex'`);
  await waitFor(
    'the refusal',
    async () => (await failureOf(record(token, 'suspended'))).reason === 'TENANT_SUSPENDED',
  );
  await query(database.url, `UPDATE tenant SET suspend_time = NULL WHERE tenant = 'globex'`);
});

test('a token of one user profile is for it alone', async () => {
  const token = await issuer.token({ claims: { user_profile: 'bob' } });
  const failure = await failureOf(record(token, 'narrow'));
  expect(failure).toMatchObject({ reason: 'PERMISSION_DENIED', metadata: { user_profile: 'bob' } });
  expect((await createWith(server.client, 'narrow', bearer(token), { userProfile: 'bob' })).replayed).toBe(
    false,
  );
});

test('while the issuer is away no new token can be checked, and afterwards it can', async () => {
  const away = await TestIssuer.start();
  await away.down();
  const other = await openWith(away.settings);
  try {
    const token = await away.token();
    const failure = await failureOf(record(token, 'away', other));
    expect(failure).toMatchObject({ code: 'UNAVAILABLE', reason: 'ISSUER_UNAVAILABLE' });
    expect(failure.retryAfterMs).toBeGreaterThan(0);
    await away.up();
    await waitFor('the keys', () => record(token, 'away', other));
    await away.down();
    // What is known counts.
    await record(await away.token(), 'away', other);
  } finally {
    await other.close();
    await away.down();
  }
});

test('an issuer that answers without an end, or with something else, is asked no more than once a second', async () => {
  let bytes = 0;
  const endless = (response: ServerResponse): void => {
    const chunk = 'x'.repeat(64 * 1024);
    while (response.write(chunk)) bytes += chunk.length;
    response.once('drain', () => endless(response));
  };
  for (const answer of [endless, (response: ServerResponse) => response.end('<html>')]) {
    const odd = await TestIssuer.start();
    await odd.down();
    await odd.up(answer);
    const other = await openWith(odd.settings);
    try {
      const token = await odd.token();
      for (let call = 0; call < 5; call++) {
        const failure = await failureOf(record(token, 'odd', other));
        expect(failure).toMatchObject({ code: 'UNAVAILABLE', reason: 'ISSUER_UNAVAILABLE' });
      }
      expect(odd.fetches).toBeLessThan(5);
    } finally {
      await other.close();
      await odd.down();
    }
  }
  // What the connection takes on its way is more than what is kept.
  expect(bytes).toBeLessThan(64 * 1024 * 1024);
});

test('keys in a file are read again when the file changes', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'charge-jwks-'));
  const file = join(directory, 'jwks.json');
  const next = await TestIssuer.start();
  writeFileSync(file, await issuer.jwks());
  const other = await openWith({ ...issuer.settings, keys: { file } });
  try {
    await record(await issuer.token(), 'file', other);
    writeFileSync(file, await next.jwks());
    await waitFor('the new keys', async () => record(await next.token(), 'file', other));
    writeFileSync(file, '{"keys": [');
    await record(await next.token(), 'file', other);
  } finally {
    await other.close();
    await next.down();
    rmSync(directory, { recursive: true });
  }
});

test('without an issuer in the configuration, no token is accepted', async () => {
  const open = await openTestServer(database.url);
  try {
    expect(await failureOf(record(await issuer.token(), 'none', open))).toMatchObject({
      metadata: { cause: 'INVALID' },
    });
  } finally {
    await open.close();
  }
});
