/** A reprice reads a bounded number of rows at a time, whatever its filter. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import type { ChargeFilter } from '../../../src/charges/charge.ts';
import { scanCharges } from '../../../src/charges/store/reprice-scan.ts';
import { forTenant } from '../../../src/database/driver.ts';
import { explain, readsOf } from '../../support/explain.ts';
import { END, RepriceStore, START, TENANT } from '../support/reprice.ts';

const GROUPS = 40;
const GROUP_SIZE = 50;
const SCAN_ROWS = 500;

let book: RepriceStore;
beforeAll(async () => {
  book = await RepriceStore.open();
  for (let group = 0; group < GROUPS; group++) {
    const same = { usageTimeMicros: START, sessionKey: 'session', reference: 'invoice' };
    await book.record(`${group}`, Array<object>(GROUP_SIZE).fill(same));
  }
});
afterAll(() => book.close());

const FILTERS: [string, ChargeFilter][] = [
  ['no filter', {}],
  ['a model that nothing has', { model: 'none' }],
  ['labels that nothing has', { labels: new Map([['team', 'x']]) }],
  ['a user profile', { userProfile: 'alice' }],
  ['a session', { sessionKey: 'session' }],
  ['a reference and a session that nothing has', { reference: 'invoice', sessionKey: 'none' }],
  ['an import that nothing has', { importId: '01a5b8e2-8d6f-7cc3-98c4-dc0c0c07398f' }],
];

test.each(FILTERS)('with %s', async (_, members) => {
  const { database } = book.store;
  const filter = { ...members, startTimeMicros: START, endTimeMicros: END };
  const scan = () =>
    scanCharges(forTenant(database.em, TENANT), TENANT, { filter, includePriced: false, after: undefined });
  const { charges, isLast } = await scan();
  expect(isLast).toBe(filter.importId !== undefined);
  // To the end of a millisecond; a group is made in one or a few.
  expect(charges.length).toBeLessThanOrEqual(isLast ? 0 : SCAN_ROWS + GROUP_SIZE);

  const [statement] = await readsOf(database.pool, scan);
  const nodes = await explain(database.pool, TENANT, statement);
  const reads = nodes.filter(({ relation }) => relation === 'charge');
  expect(reads.map(({ type }) => type)).toEqual(['Index Scan']);
  expect(reads[0]?.rows).toBeLessThanOrEqual(SCAN_ROWS + GROUP_SIZE);
});
