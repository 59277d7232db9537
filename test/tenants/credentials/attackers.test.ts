/** Those who try credentials, and what the log says about it. */

import { Writable } from 'node:stream';

import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, jest, test } from '@jest/globals';
import { pino } from 'pino';

import type { KnownKey } from '../../../src/tenants/credentials/api-keys.ts';
import { addressOf, FailedAttempts } from '../../../src/tenants/credentials/failed-attempts.ts';
import { FreshRows } from '../../../src/tenants/credentials/fresh-rows.ts';
import { OPEN } from '../../../src/tenants/credentials/settings.ts';
import { formatApiKey, newApiKey } from '../../../src/tenants/api-key.ts';
import type { TestDatabase } from '../../support/database.ts';
import { errorOf, failureOf } from '../../support/errors.ts';
import { openTestServer, type TestServer } from '../../support/server.ts';
import { addKey, authorization, bearer, createTenantDatabase, createWith } from '../support/credentials.ts';
import { TestIssuer } from '../support/issuer.ts';

let database: TestDatabase;
let issuer: TestIssuer;
let server: TestServer;
let refusals: string[];
let log: string;

beforeAll(async () => {
  database = await createTenantDatabase();
  issuer = await TestIssuer.start();
});
afterAll(async () => {
  await issuer.down();
  await database.drop();
});
beforeEach(async () => {
  refusals = [];
  log = '';
  const lines = new Writable({
    write: (chunk: Buffer, _, done) => {
      log += chunk.toString();
      done();
    },
  });
  server = await openTestServer(database.url, {
    credentials: { ...OPEN, required: true, jwt: issuer.settings },
    logger: pino({ level: 'trace' }, lines),
    authenticationRefused: (cause) => refusals.push(cause),
  });
});
afterEach(() => server.close());

const wrongKey = (): string => formatApiKey(newApiKey());
const record = (credential: string) => createWith(server.client, 'attack', bearer(credential));

describe('after many failures from one address', () => {
  beforeEach(async () => {
    for (let i = 0; i < 20; i++) expect((await failureOf(record(wrongKey()))).reason).toBe('UNAUTHENTICATED');
  });

  test('those that fail are told to wait, after a second each', async () => {
    const from = performance.now();
    const failure = await failureOf(record(wrongKey()));
    expect(performance.now() - from).toBeGreaterThan(900);
    expect(failure).toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      reason: 'OVERLOADED',
      metadata: { limit: 'failed_authentications' },
      retryAfterMs: 3000,
    });
    expect(refusals.at(-1)).toBe('THROTTLED');
    expect((await failureOf(record(await issuer.token({ claims: { aud: 'x' } })))).code).toBe(
      'RESOURCE_EXHAUSTED',
    );
  });

  test('those that are right still work, also if they were never used before', async () => {
    const flood = Array.from({ length: 100 }, () =>
      record(wrongKey()).catch((error: unknown) => errorOf(error).code),
    );
    const { key } = await addKey(database.url);
    await record(key);
    const from = performance.now();
    await record(key);
    // A key that is known waits for nobody.
    expect(performance.now() - from).toBeLessThan(900);
    await record(await issuer.token());
    expect(new Set(await Promise.all(flood))).toEqual(new Set(['RESOURCE_EXHAUSTED']));
  });
});

test('calls without a credential, and credentials that have expired, slow nobody down', async () => {
  const { key } = await addKey(database.url, { expireTime: `clock_timestamp() - interval '1 s'` });
  for (let i = 0; i < 25; i++) {
    await failureOf(createWith(server.client, 'none'));
    await failureOf(record(key));
  }
  expect(new Set(refusals)).toEqual(new Set(['MISSING', 'EXPIRED']));
  expect((await failureOf(record(wrongKey()))).reason).toBe('UNAUTHENTICATED');
});

test('no secret is in the log or in an error, whatever is sent', async () => {
  const { key } = await addKey(database.url);
  const expired = await addKey(database.url, { expireTime: `clock_timestamp() - interval '1 s'` });
  const tokens = [await issuer.token(), await issuer.token({ expiresInS: -60 }), `${await issuer.token()}x`];
  const credentials = [key, expired.key, wrongKey(), `${key}0`, ...tokens, 'not-a-credential-at-all'];
  const errors: string[] = [];
  for (const credential of credentials) {
    for (const header of [`Bearer ${credential}`, `Basic ${credential}`, credential]) {
      await createWith(server.client, 'secret', authorization(header)).catch((error: unknown) =>
        errors.push(JSON.stringify([errorOf(error), String(error)])),
      );
    }
  }
  expect(errors.length).toBeGreaterThan(20);
  expect(log).toContain('UNAUTHENTICATED');
  for (const credential of credentials) {
    const secret = credential.startsWith('chg_') ? credential.slice(21, 85) : credential.split('.').at(-1);
    expect(log + errors.join()).not.toContain(secret);
  }
  expect(log).not.toMatch(/bearer|basic /i);
});

describe('what is known of keys', () => {
  const row = {} as KnownKey;
  const isPromise = (value: unknown): boolean => value instanceof Promise;

  test('is looked up in one query for all who ask meanwhile, whether there is such a key or not', async () => {
    const queries: (readonly string[])[] = [];
    const release = Promise.withResolvers<void>();
    const rows = new FreshRows<KnownKey>(async (ids) => {
      queries.push(ids);
      await release.promise;
      return new Map([['known', row]]);
    });
    const asked = ['known', 'known', 'unknown', 'other', 'unknown'].map((id) => rows.get(id));
    release.resolve();
    const found = await Promise.all(asked);
    expect(found.map((fresh) => fresh.row)).toEqual([row, row, undefined, undefined, undefined]);
    expect(queries).toEqual([['known'], ['unknown', 'other']]);
    expect(['known', 'unknown'].map((id) => isPromise(rows.get(id)))).toEqual([false, false]);
  });

  test('counts for five seconds, and for a minute while PostgreSQL is away', async () => {
    const now = jest.spyOn(performance, 'now').mockReturnValue(0);
    try {
      let isAway = false;
      const rows = new FreshRows<KnownKey>((ids) =>
        isAway ? Promise.reject(new Error('away')) : Promise.resolve(new Map(ids.map((id) => [id, row]))),
      );
      await rows.get('key');
      now.mockReturnValue(4_999);
      expect(isPromise(rows.get('key'))).toBe(false);
      now.mockReturnValue(5_000);
      isAway = true;
      const stale = rows.get('key');
      expect(isPromise(stale)).toBe(true);
      expect((await stale).row).toBe(row);
      now.mockReturnValue(59_999);
      expect(isPromise(rows.get('key'))).toBe(false);
      now.mockReturnValue(60_000);
      await expect(rows.get('key')).rejects.toThrow('away');
      isAway = false;
      expect((await rows.get('key')).row).toBe(row);
    } finally {
      now.mockRestore();
    }
  });

  test('is limited in number, and invented ids displace no key', async () => {
    const rows = new FreshRows<KnownKey>((ids) =>
      Promise.resolve(new Map(ids.filter((id) => id.startsWith('key')).map((id) => [id, row]))),
    );
    await rows.get('key');
    await Promise.all(Array.from({ length: 20_000 }, (_, index) => rows.get(`invented-${index}`)));
    expect(rows.has('key')).toBe(true);
    await Promise.all(Array.from({ length: 10_000 }, (_, index) => rows.get(`key-${index}`)));
    expect(rows.has('key')).toBe(false);
  });
});

test.each([
  ['127.0.0.1:50051', '127.0.0.1'],
  ['::ffff:10.0.0.1:50051', '10.0.0.1'],
  ['2001:db8:1:2:3:4:5:6:50051', '2001:db8:1:2'],
  ['2001:db8::6:50051', '2001:db8:0:0'],
  ['::1:50051', '0:0:0:0'],
])('failures of %s count for %s', (peer, address) => {
  expect(addressOf(peer)).toBe(address);
});

test('failures are forgotten, one every three seconds', () => {
  const now = jest.spyOn(performance, 'now').mockReturnValue(0);
  try {
    const attempts = new FailedAttempts();
    const peer = '10.0.0.1:1';
    for (let i = 0; i < 20; i++) expect(attempts.failed(peer)).toBeUndefined();
    expect([attempts.isSlowed('10.0.0.1:2'), attempts.isSlowed('10.0.0.2:1')]).toEqual([true, false]);
    now.mockReturnValue(3_000);
    expect(attempts.isSlowed(peer)).toBe(false);
    expect(attempts.failed(peer)).toBeUndefined();
    expect(attempts.failed(peer)).toBe(attempts.tooMany);
  } finally {
    now.mockRestore();
  }
});
