/** Price versions from several clients of several servers at once. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import type { CreateChargeResponse } from '../../../generated/charge/v1/charge_service.ts';
import { query } from '../../support/database.ts';
import { call, createRequest, errorOf } from '../../support/server.ts';
import { card, openPriceFixture, type PriceFixture, priceRequest } from '../support/client.ts';

let fixture: PriceFixture;
beforeAll(async () => {
  fixture = await openPriceFixture(3);
});
afterAll(() => fixture.close());

const clientAt = (index: number) => fixture.clients[index % fixture.clients.length]!;

test('12 versions at once have 12 numbers without a gap, each once', async () => {
  const responses = await Promise.all(
    Array.from({ length: 12 }, (_, i) =>
      clientAt(i).create(priceRequest(`a${i}`, { basis: card({ 1: BigInt(i) }) })),
    ),
  );

  expect(responses.map(({ price }) => Number(price?.version)).sort((a, b) => a - b)).toEqual(
    Array.from({ length: 12 }, (_, i) => i + 1),
  );
  expect(await fixture.stored()).toEqual({ versions: 12, head: 12 });
});

test('of 12 equal requests at once, one adds a version', async () => {
  const { head } = await fixture.stored();
  const responses = await Promise.all(
    Array.from({ length: 12 }, (_, i) => clientAt(i).create(priceRequest('b', { key: { model: 'b' } }))),
  );

  expect(responses.filter(({ replayed }) => !replayed)).toHaveLength(1);
  expect(new Set(responses.map(({ price }) => price?.version))).toEqual(new Set([BigInt(head + 1)]));
});

test('of requests with one id and different content at once, one adds a version, and the others are refused', async () => {
  const { head } = await fixture.stored();
  const results = await Promise.allSettled(
    Array.from({ length: 6 }, (_, i) =>
      clientAt(i).create(priceRequest('c', { key: { model: 'c' }, note: String(i) })),
    ),
  );

  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  for (const result of results) {
    if (result.status === 'rejected') {
      expect((await errorOf(Promise.reject(result.reason as Error))).reason).toBe('REQUEST_ID_REUSED');
    }
  }
  expect((await fixture.stored()).head).toBe(head + 1);
});

test('batches at once do not mix', async () => {
  const batches = await Promise.all(
    Array.from({ length: 6 }, (_, batch) =>
      clientAt(batch).createBatch(
        ...Array.from({ length: 50 }, (_, i) =>
          priceRequest(`d${batch}-${i}`, { key: { model: `d${batch}-${i}` } }),
        ),
      ),
    ),
  );

  for (const { responses } of batches) {
    const first = responses[0]?.price?.version ?? 0n;
    expect(responses.map(({ price }) => price?.version)).toEqual(responses.map((_, i) => first + BigInt(i)));
  }
});

test('a charge that is sent after the response is priced with the version, by every server', async () => {
  for (let round = 1n; round <= 5n; round++) {
    const price = priceRequest(`e${round}`, { key: { model: 'e' }, basis: card({ 1: round * 1_000_000n }) });
    const { version } = (await clientAt(Number(round)).create(price)).price!;
    const charges = await Promise.all(
      fixture.servers.map(({ client }, i) =>
        call<CreateChargeResponse>((done) =>
          client.createCharge(
            createRequest(`e${round}-${i}`, { model: 'e', promptTokens: 10n, completionTokens: 0n }),
            done,
          ),
        ),
      ),
    );
    for (const { charge } of charges) {
      expect(charge?.cost).toMatchObject({ priceVersion: version, amount: { nanos: round * 10n } });
    }
  }
});

test('versions cannot be changed or removed', async () => {
  for (const statement of ["UPDATE price SET note = 'x'", 'DELETE FROM price', 'TRUNCATE price']) {
    await expect(query(fixture.database.url, statement)).rejects.toThrow('price is append-only');
  }
});

test('health and reflection list the service', async () => {
  const { healthClient } = await import('../../grpc/support/health.ts');
  const health = healthClient(fixture.servers[0]!.address);
  expect(await health.check('charge.v1.PriceService')).toBe('SERVING');
  health.close();
});
