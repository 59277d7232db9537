/** Those who try credentials, and what the log says about it. */

import { Writable } from 'node:stream';

import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';

import { OPEN } from '../../../src/tenants/credentials/settings.ts';
import { formatApiKey, newApiKey } from '../../../src/tenants/api-key.ts';
import type { TestDatabase } from '../../support/database.ts';
import { errorOf, failureOf } from '../../support/errors.ts';
import { openTestServer, type TestServer } from '../../support/server.ts';
import { waitFor } from '../../support/wait-for.ts';
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

/** One of 20 failures is forgotten after this time. */
const FORGET_ONE_MS = 3_000;

describe('after many failures from one address', () => {
  beforeEach(async () => {
    await Promise.all(Array.from({ length: 20 }, () => failureOf(record(wrongKey()))));
    expect(new Set(refusals)).toEqual(new Set(['INVALID']));
  });

  test('those that fail are told to wait, after a second each', async () => {
    /** On a busy machine, one of those before may be forgotten by now. */
    const throttled = (credential: string) =>
      waitFor('a refusal', async () => {
        const from = performance.now();
        const failure = await failureOf(record(credential));
        return failure.code === 'UNAUTHENTICATED' ? undefined : { failure, tookMs: performance.now() - from };
      });
    const { failure, tookMs } = await throttled(wrongKey());
    expect(tookMs).toBeGreaterThan(900);
    expect(failure).toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      reason: 'OVERLOADED',
      metadata: { limit: 'failed_authentications' },
      retryAfterMs: 3000,
    });
    expect(refusals.at(-1)).toBe('THROTTLED');
    const { failure: ofToken } = await throttled(await issuer.token({ claims: { aud: 'x' } }));
    expect(ofToken.code).toBe('RESOURCE_EXHAUSTED');
  });

  test('those that are right still work, also if they were never used before', async () => {
    const startedAtMs = performance.now();
    const flood = Array.from({ length: 100 }, () =>
      record(wrongKey()).catch((error: unknown) => errorOf(error).code),
    );
    const { key } = await addKey(database.url);
    await record(key);
    await waitFor('a call with a known key, which waits for nobody', async () => {
      const from = performance.now();
      await record(key);
      return performance.now() - from < 900;
    });
    await record(await issuer.token());
    const codes = await Promise.all(flood);
    const forgotten = (performance.now() - startedAtMs) / FORGET_ONE_MS + 1;
    const others = codes.filter((code) => code !== 'RESOURCE_EXHAUSTED');
    expect(others.every((code) => code === 'UNAUTHENTICATED')).toBe(true);
    expect(others.length).toBeLessThanOrEqual(forgotten);
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
