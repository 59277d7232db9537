/** A reprice whose server process is killed in the middle, and that is done again. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { ChargeFilter } from '../../generated/charge/v1/charge_service.ts';
import {
  RepriceChargesRequest,
  type RepriceChargesResponse,
} from '../../generated/charge/v1/price_service.ts';
import { query } from '../embedded/support.ts';
import { at, card, openPriceClient, type PriceClient, priceRequest } from '../prices/support/client.ts';
import { createMigratedDatabase, type TestDatabase } from '../support/database.ts';
import { startTestNats, type TestNats } from '../support/nats.ts';
import { call } from '../support/server.ts';
import { expectSequences, readStream } from '../support/stream.ts';
import { waitFor } from '../support/wait-for.ts';
import { createMany, Services } from './support.ts';

const CHARGES = 8_000;

let services: Services;
let database: TestDatabase;
let nats: TestNats;
beforeEach(async () => {
  [services, database, nats] = await Promise.all([
    Services.open(),
    createMigratedDatabase(),
    startTestNats(),
  ]);
});
afterEach(async () => {
  await services.close();
  await Promise.all([database.drop(), nats.stop()]);
});

/** Page after page. After a call that failed it does the same page again, and counts it. */
async function repriceAll({ raw }: PriceClient): Promise<number> {
  const filter = ChargeFilter.fromPartial({
    startTime: at('2000-01-01T00:00:00Z'),
    endTime: at('2100-01-01T00:00:00Z'),
  });
  const request = RepriceChargesRequest.fromPartial({ filter, reason: 'a test', runId: 'killed' });
  for (let failed = 0; ;) {
    try {
      const page = await call<RepriceChargesResponse>((done) => raw.repriceCharges(request, done));
      request.pageToken = page.nextPageToken;
      if (request.pageToken === '') return failed;
    } catch {
      failed++;
      await new Promise<void>((resolve) => raw.waitForReady(Date.now() + 10_000, () => resolve()));
    }
  }
}

test('kill -9 during a reprice: after it is done again, every charge has its cost once', async () => {
  const service = services.start({ DATABASE_URL: database.url, NATS_URL: nats.url });
  const { grpc } = await service.ready();
  const client = await service.client();
  for (let n = 0; n < CHARGES; n += 1000) await createMany(client, `killed-${n}`, 1000);
  const prices = openPriceClient(grpc);
  try {
    const price = { from: at('2000-01-01T00:00:00Z'), basis: card({ 1: 1_000_000_000n, 2: 0n }) };
    await prices.create(priceRequest('late', price));

    // Looked up before: it takes as long as a large part of the reprice.
    const victims = await service.serverPids();
    const repricing = repriceAll(prices);
    await waitFor(
      'the first new costs',
      async () => (await query(database.url, 'SELECT FROM cost_revision LIMIT 1')).length > 0,
      { intervalMs: 1 },
    );
    for (const victim of victims) process.kill(victim, 'SIGKILL');
    expect(await repricing).toBeGreaterThan(0);

    const [stored] = await query(
      database.url,
      `SELECT count(*)::int AS revisions, count(DISTINCT charge_id)::int AS charges, min(revision) AS first,
         max(revision) AS last, sum(cost_nanos)::text AS nanos, (SELECT count(*)::int FROM reprice_run) AS runs
       FROM cost_revision`,
    );
    expect(stored).toEqual({
      revisions: CHARGES,
      charges: CHARGES,
      first: 1,
      last: 1,
      nanos: String(CHARGES * 374_000),
      runs: 1,
    });
    await waitFor('all events', async () => (await readStream(nats.url)).length >= 2 * CHARGES);
    const messages = await readStream(nats.url);
    expectSequences(messages, 2 * CHARGES);
    expect(messages.slice(CHARGES).every(({ subject }) => subject.includes('repriced'))).toBe(true);
  } finally {
    prices.raw.close();
  }
});
