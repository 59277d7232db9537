/** API keys against a real PostgreSQL, with two servers on it. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import type { ClientReadableStream } from '@grpc/grpc-js';

import { formatApiKey, newApiKey, parseApiKey } from '../../../src/tenants/api-key.ts';
import { OPEN } from '../../../src/tenants/credentials/settings.ts';
import { query, type TestDatabase } from '../../support/database.ts';
import { errorOf as summaryOf, failureOf } from '../../support/errors.ts';
import { openTestServer, type TestServer } from '../../support/server.ts';
import { waitFor } from '../../support/wait-for.ts';
import {
  addKey,
  authorization,
  bearer,
  createTenantDatabase,
  createWith,
  revokeKey,
} from '../support/credentials.ts';

const REQUIRED = { ...OPEN, required: true };
/** The promise is 5 seconds. */
const REVOCATION_MAX_MS = 5_000;

let database: TestDatabase;
let servers: readonly [TestServer, TestServer];
const refusals: string[] = [];

beforeAll(async () => {
  database = await createTenantDatabase();
  const open = () =>
    openTestServer(database.url, {
      credentials: REQUIRED,
      authenticationRefused: (cause) => refusals.push(cause),
    });
  servers = [await open(), await open()];
});
afterAll(async () => {
  for (const server of servers) await server.close();
  await database.drop();
});

const refused = (cause: string) => ({
  code: 'UNAUTHENTICATED',
  reason: 'UNAUTHENTICATED',
  domain: 'charge.v1',
  metadata: { cause },
});

describe('a call', () => {
  test('records for the tenant of its key, and for no other', async () => {
    const [{ client }] = servers;
    const acme = await addKey(database.url);
    const globex = await addKey(database.url, { tenant: 'globex' });
    const first = await createWith(client, 'same-id', bearer(acme.key));
    const second = await createWith(client, 'same-id', bearer(globex.key));
    expect([first.replayed, second.replayed]).toEqual([false, false]);
    expect(second.charge?.id).not.toBe(first.charge?.id);
    const rows = await query(database.url, `SELECT tenant FROM charge ORDER BY tenant`);
    expect(rows).toEqual([{ tenant: 'acme' }, { tenant: 'globex' }]);
  });

  test('without a credential is refused', async () => {
    expect(await failureOf(createWith(servers[0].client, 'none'))).toMatchObject(refused('MISSING'));
    expect(refusals).toContain('MISSING');
  });

  test.each([
    ['another scheme', 'Basic YWxpY2U6c2VjcmV0'],
    ['no scheme', formatApiKey(newApiKey())],
    ['nothing after the scheme', 'Bearer'],
    ['a key that is cut off', `Bearer ${formatApiKey(newApiKey()).slice(0, -1)}`],
    ['upper case', `Bearer ${formatApiKey(newApiKey()).toUpperCase()}`],
    ['two credentials', `Bearer ${formatApiKey(newApiKey())}, Bearer ${formatApiKey(newApiKey())}`],
    ['SQL', `Bearer chg_' OR 1=1 --_x`],
  ])('with %s is refused as malformed', async (_, header) => {
    const failure = await failureOf(createWith(servers[0].client, 'malformed', authorization(header)));
    expect(failure).toMatchObject(refused('MALFORMED'));
  });

  test('with any spelling of the scheme is accepted', async () => {
    const { key } = await addKey(database.url);
    for (const scheme of ['bearer', 'BEARER', 'Bearer ']) {
      await createWith(servers[0].client, `scheme-${scheme}`, authorization(`${scheme} ${key}`));
    }
  });

  test('with the id of a key and another secret is refused, as with an unknown id', async () => {
    const { id } = await addKey(database.url);
    const other = { id, secret: newApiKey().secret };
    const [unknownId, wrongSecret] = await Promise.all(
      [newApiKey(), other].map((parts) =>
        failureOf(createWith(servers[0].client, 'wrong', bearer(formatApiKey(parts)))),
      ),
    );
    expect(unknownId).toMatchObject(refused('INVALID'));
    expect(wrongSecret).toEqual(unknownId);
  });

  test('with an expired key is refused', async () => {
    const { key } = await addKey(database.url, { expireTime: `clock_timestamp() - interval '1 s'` });
    expect(await failureOf(createWith(servers[0].client, 'expired', bearer(key)))).toMatchObject(
      refused('EXPIRED'),
    );
  });

  test('with a wrong secret of an expired key does not learn that it has expired', async () => {
    const { id } = await addKey(database.url, { expireTime: `clock_timestamp() - interval '1 s'` });
    const wrong = formatApiKey({ id, secret: newApiKey().secret });
    expect(await failureOf(createWith(servers[0].client, 'expired', bearer(wrong)))).toMatchObject(
      refused('INVALID'),
    );
  });

  test('is refused as soon as its key expires, without a query', async () => {
    const { key } = await addKey(database.url, { expireTime: `clock_timestamp() + interval '1500 ms'` });
    const [{ client }] = servers;
    await createWith(client, 'expiring', bearer(key));
    await waitFor('the expiry', async () => {
      const failure = await failureOf(createWith(client, 'expiring', bearer(key)));
      return failure.metadata['cause'] === 'EXPIRED';
    });
  });
});

describe('revocation', () => {
  /** Calls every process until it refuses, and returns how long that took. */
  const refusedAfterMs = async (key: string, reason: string): Promise<number> => {
    const from = performance.now();
    await Promise.all(
      servers.map(({ client }, index) =>
        waitFor('the refusal', async () => {
          const failure = await failureOf(createWith(client, `revoked-${index}`, bearer(key)));
          return failure.reason === reason;
        }),
      ),
    );
    return performance.now() - from;
  };

  test('holds in every process within seconds', async () => {
    const { id, key } = await addKey(database.url);
    for (const { client } of servers) await createWith(client, 'before', bearer(key));
    await revokeKey(database.url, id);
    expect(await refusedAfterMs(key, 'UNAUTHENTICATED')).toBeLessThan(REVOCATION_MAX_MS);
  });

  test('suspension of the tenant holds in every process within seconds, and ends', async () => {
    const { key } = await addKey(database.url, { tenant: 'globex' });
    for (const { client } of servers) await createWith(client, 'before', bearer(key));
    await query(database.url, `UPDATE tenant SET suspend_time = clock_timestamp() WHERE tenant = 'globex'`);
    expect(await refusedAfterMs(key, 'TENANT_SUSPENDED')).toBeLessThan(REVOCATION_MAX_MS);
    await query(database.url, `UPDATE tenant SET suspend_time = NULL WHERE tenant = 'globex'`);
    await waitFor('the end of the suspension', () => createWith(servers[0].client, 'after', bearer(key)));
  });

  test('ends open streams', async () => {
    const { id, key } = await addKey(database.url);
    const other = await addKey(database.url);
    const [{ client }] = servers;
    const streams = {
      watch: client.watchCharges({ startSequence: undefined, filter: undefined }, bearer(key)),
      record: client.recordCharges(bearer(key)),
      kept: client.watchCharges({ startSequence: undefined, filter: undefined }, bearer(other.key)),
    };
    const ended = Object.entries(streams).map(([name, stream]) => {
      (stream as ClientReadableStream<unknown>).on('data', () => undefined);
      return new Promise((resolve) => stream.on('error', (error) => resolve([name, summaryOf(error).code])));
    });
    await new Promise((resolve) => streams.watch.once('metadata', resolve));
    const from = performance.now();
    await revokeKey(database.url, id);
    expect(await Promise.all(ended.slice(0, 2))).toEqual([
      ['watch', 'UNAUTHENTICATED'],
      ['record', 'UNAUTHENTICATED'],
    ]);
    expect(performance.now() - from).toBeLessThan(REVOCATION_MAX_MS);
    streams.kept.cancel();
    expect(await ended[2]).toEqual(['kept', 'CANCELLED']);
  });
});

test('the last use is noted, once', async () => {
  const { id, key } = await addKey(database.url);
  const lastUse = async () => {
    const [row] = await query(database.url, `SELECT last_use_time FROM api_key WHERE id = '${id}'`);
    return row?.['last_use_time'];
  };
  await createWith(servers[0].client, 'used', bearer(key));
  const noted = await waitFor('the last use', lastUse);
  const another = await addKey(database.url);
  for (const used of [key, another.key]) await createWith(servers[0].client, 'used', bearer(used));
  await waitFor('the use of another key', async () => {
    const [row] = await query(database.url, `SELECT last_use_time FROM api_key WHERE id = '${another.id}'`);
    return row?.['last_use_time'];
  });
  expect(await lastUse()).toEqual(noted);
});

test('a wrong secret is no use', async () => {
  const { id } = await addKey(database.url);
  const { id: used, key } = await addKey(database.url);
  const wrong = formatApiKey({ id, secret: newApiKey().secret });
  await failureOf(createWith(servers[0].client, 'wrong', bearer(wrong)));
  await createWith(servers[0].client, 'used', bearer(key));
  await waitFor('the use of the other key', async () => {
    const [row] = await query(database.url, `SELECT last_use_time FROM api_key WHERE id = '${used}'`);
    return row?.['last_use_time'];
  });
  const [row] = await query(database.url, `SELECT last_use_time FROM api_key WHERE id = '${id}'`);
  expect(row).toEqual({ last_use_time: null });
  expect(parseApiKey(key)?.id).toBe(used);
});

test('where no credential is needed, one that is presented is verified', async () => {
  const open = await openTestServer(database.url);
  try {
    await createWith(open.client, 'open');
    const failure = await failureOf(createWith(open.client, 'open', bearer(formatApiKey(newApiKey()))));
    expect(failure).toMatchObject(refused('INVALID'));
    const { key } = await addKey(database.url);
    expect((await createWith(open.client, 'open', bearer(key))).replayed).toBe(false);
  } finally {
    await open.close();
  }
});
