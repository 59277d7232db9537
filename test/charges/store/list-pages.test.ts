import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import type { ChargeFilter } from '../../../src/charges/charge.ts';
import type { ChargePage, ListQuery } from '../../../src/charges/ports.ts';
import { chargeRequest, openTestStore, type TestStore } from '../../support/store.ts';

const TENANT = 'default';
const GROUPS = 40;
const GROUP_SIZE = 50;
const LIMIT = 20;
const USAGE_TIME = 1_700_000_000_000_000n;

const FILTERS: [string, ChargeFilter][] = [
  ['no filter', {}],
  ['user profile', { userProfile: 'alice' }],
  ['session', { sessionKey: 'session' }],
  ['reference', { reference: 'invoice' }],
  ['user profile and session', { userProfile: 'alice', sessionKey: 'session' }],
];

let store: TestStore;
beforeAll(async () => {
  store = await openTestStore();
  // Usage of a whole day with the day as its time: thousands of equal times, of one user.
  for (let group = 0; group < GROUPS; group++) {
    const requests = Array.from({ length: GROUP_SIZE }, (_, i) =>
      chargeRequest(`${group}/${GROUP_SIZE - i}`, {
        usageTimeMicros: USAGE_TIME,
        sessionKey: 'session',
        reference: 'invoice',
      }),
    );
    await store.writer.record(TENANT, requests);
  }
});
afterAll(() => store.close());

function page(query: Omit<ListQuery, 'limit'>): Promise<ChargePage> {
  return store.reader.list(TENANT, { ...query, limit: LIMIT });
}

describe.each(['newest_first', 'oldest_first'] as const)('pages of equal usage times, %s', (order) => {
  test.each(FILTERS)('hold every charge once, in the order of their ids: %s', async (_, filter) => {
    const ids: string[] = [];
    let after: ListQuery['after'];
    do {
      const { charges, next } = await page({ filter, order, includeCorrected: false, after });
      ids.push(...charges.map(({ id }) => id));
      after = next;
    } while (after !== undefined);
    expect(ids).toHaveLength(GROUPS * GROUP_SIZE);
    expect(ids).toEqual(order === 'oldest_first' ? ids.toSorted() : ids.toSorted().reverse());
  });
});
