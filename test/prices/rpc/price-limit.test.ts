/** How many versions a tenant may have: every process keeps all of them in memory. */

import { expect, test } from '@jest/globals';

import { VERSIONS_MAX } from '../../../src/prices/price-decision.ts';
import { query } from '../../support/database.ts';
import { errorOf } from '../../support/server.ts';
import { openPriceFixture, priceRequest } from '../support/client.ts';

test('the last version that a tenant may have is added, and no other one', async () => {
  const fixture = await openPriceFixture();
  const requestOf = (id: string) => priceRequest(id, { key: { model: id } });
  try {
    const { client, database } = fixture;
    await client.create(requestOf('first'));
    await query(
      database.url,
      `INSERT INTO price (effective_time, create_time, version, provider, charge_type, model_match, service_tier, basis,
         tenant, model, currency_code, rates, request_id)
       SELECT effective_time, create_time, n, provider, charge_type, model_match, service_tier, basis,
         tenant, 'model-' || n, currency_code, rates, 'request-' || n
       FROM price CROSS JOIN generate_series(2, ${VERSIONS_MAX - 1}) AS n`,
      `UPDATE journal_head SET price_version = ${VERSIONS_MAX - 1} WHERE tenant = 'default'`,
    );
    expect((await client.create(requestOf('last'))).price?.version).toBe(BigInt(VERSIONS_MAX));
    const refused = {
      code: 'RESOURCE_EXHAUSTED',
      reason: 'TENANT_LIMIT_EXCEEDED',
      metadata: { limit: 'price_versions' },
    };
    expect(await errorOf(client.create(requestOf('another')))).toMatchObject(refused);
    const batch = client.createBatch(requestOf('last'), requestOf('one more'));
    expect(await errorOf(batch)).toMatchObject({ metadata: { limit: 'price_versions', index: '1' } });
    expect((await client.create(requestOf('last'))).price?.version).toBe(BigInt(VERSIONS_MAX));
  } finally {
    await fixture.close();
  }
});
