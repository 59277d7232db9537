/** CreatePrice while PostgreSQL does not do what it should. */

import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import pg from 'pg';

import type { CreateChargeResponse } from '../../../generated/charge/v1/charge_service.ts';
import { query } from '../../support/database.ts';
import { call, createRequest, errorOf } from '../../support/server.ts';
import { waitFor } from '../../support/wait-for.ts';
import { openPriceFixture, type PriceFixture, priceRequest } from '../support/client.ts';

let fixture: PriceFixture;
let before = { versions: 0, head: 0 };
beforeAll(async () => {
  fixture = await openPriceFixture(2);
});
afterAll(() => fixture.close());
beforeEach(async () => {
  before = await fixture.stored();
});

/** Backends of the servers that wait for the lock of the tenant. */
const waiting = async () => {
  const rows = await query(
    fixture.database.url,
    `SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%tenant_lock%'
       AND datname = current_database()`,
  );
  return rows.map(({ pid }) => Number(pid));
};

test('a call whose connection is lost is tried again, and adds its version once', async () => {
  const holder = new pg.Client(fixture.database.url);
  await holder.connect();
  try {
    await holder.query('BEGIN; SELECT FROM tenant_lock FOR UPDATE');
    const created = fixture.clients.map((client) => client.create(priceRequest('a')));
    const pids = await waitFor('both calls to wait', async () => {
      const found = await waiting();
      return found.length === 2 ? found : undefined;
    });
    await query(fixture.database.url, `SELECT pg_terminate_backend(${pids[0]})`);
    await holder.query('COMMIT');
    const responses = await Promise.all(created);

    expect(responses.map(({ price }) => price?.version)).toEqual([1n, 1n]);
    expect(responses.filter(({ replayed }) => replayed)).toHaveLength(1);
    expect(await fixture.stored()).toEqual({ versions: 1, head: 1 });
  } finally {
    await holder.end();
  }
});

test('a table that is missing is told as such, and nothing is stored', async () => {
  await query(fixture.database.url, 'ALTER TABLE journal_head RENAME TO elsewhere');
  const error = await errorOf(fixture.client.create(priceRequest('b', { key: { model: 'b' } })));
  await query(fixture.database.url, 'ALTER TABLE elsewhere RENAME TO journal_head');

  expect(error).toMatchObject({ code: 'UNAVAILABLE', reason: 'DATABASE_UNAVAILABLE', retryDelay: true });
  expect(error.message).toContain('Nothing was stored');
  expect(await fixture.stored()).toEqual(before);
  expect((await fixture.client.create(priceRequest('b', { key: { model: 'b' } }))).replayed).toBe(false);
});

test('charges are recorded while a call waits for the lock of the tenant', async () => {
  const holder = new pg.Client(fixture.database.url);
  await holder.connect();
  try {
    await holder.query('BEGIN; SELECT FROM tenant_lock FOR UPDATE');
    const created = fixture.client.create(priceRequest('c', { key: { model: 'c' } }));
    await waitFor('the call to wait', async () => (await waiting()).length === 1);
    const { charge } = await call<CreateChargeResponse>((done) =>
      fixture.servers[0]!.client.createCharge(createRequest('c', { model: 'c' }), done),
    );
    expect(charge?.cost?.priceVersion).toBe(0n);
    await holder.query('COMMIT');
    expect((await created).price?.version).toBe(BigInt(before.head + 1));
  } finally {
    await holder.end();
  }
});
