import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import type { ChargeFilter } from '../../../src/charges/charge.ts';
import type { ChargePage, ListQuery } from '../../../src/charges/ports.ts';
import { explain, statementsOf } from '../../support/explain.ts';
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
  await store.database.pool.query('ANALYZE');
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

  test.each(FILTERS)('read little more than they hold, also deep in the list: %s', async (_, filter) => {
    let after: ListQuery['after'];
    for (let depth = 0; depth < 50; depth++)
      after = (await page({ filter, order, includeCorrected: false, after })).next;
    const { pool } = store.database;
    const [statement] = await statementsOf(pool, () =>
      page({ filter, order, includeCorrected: false, after }),
    );
    const nodes = await explain(pool, statement?.sql ?? '', statement?.values);
    const scans = nodes.filter(({ relation }) => relation === 'charge');
    expect(scans.map(({ type }) => type)).toEqual(['Index Scan']);
    // To the end of a millisecond; a group is made in one or a few.
    expect(scans[0]?.rows).toBeLessThanOrEqual(LIMIT + GROUP_SIZE);
  });
});
