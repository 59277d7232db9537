/** More charges of one usage time that were created in one millisecond than one page may read. */

import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';

import type { ChargeReader, ListQuery } from '../../../src/charges/ports.ts';
import { explain, readsOf } from '../../support/explain.ts';
import { chargeRequest, openTestStore, readerOf, type TestStore } from '../../support/store.ts';

const TENANT = 'default';
const LIMIT = 10;
const SCAN_ROWS = 100;
const CHARGES = 300;
const START = 1_700_000_000_000_000n;

let store: TestStore;
let reader: ChargeReader;
beforeAll(async () => {
  store = await openTestStore();
  reader = readerOf(store.reads, store.database, { scanRowsMax: SCAN_ROWS });
  const now = jest.spyOn(Date, 'now').mockReturnValue(Date.now());
  const requests = Array.from({ length: CHARGES }, (_, i) =>
    chargeRequest(`${i}`, {
      // Some are before them, and some after.
      usageTimeMicros: START + (i % 20 === 0 ? BigInt(i) : 150n),
      userProfile: i % 3 === 0 ? 'bob' : 'alice',
    }),
  );
  await store.writer.record(TENANT, requests).finally(() => now.mockRestore());
});
afterAll(() => store.close());

test.each(['newest_first', 'oldest_first'] as const)('are listed by their ids, %s', async (order) => {
  const query = { filter: { userProfile: 'alice' }, order, includeCorrected: false, limit: LIMIT };
  const keys: string[] = [];
  let rowsRead = 0;
  const indexes = new Set<string | undefined>();
  let after: ListQuery['after'];
  do {
    const from = after;
    const statements = await readsOf(store.database.pool, async () => {
      const { charges, next } = await reader.list(TENANT, { ...query, after: from });
      keys.push(...charges.map(({ usageTimeMicros, id }) => `${String(usageTimeMicros)} ${id}`));
      after = next;
    });
    for (const statement of statements) {
      const nodes = await explain(store.database.pool, TENANT, statement);
      for (const node of nodes.filter(({ relation }) => relation === 'charge')) {
        rowsRead = Math.max(rowsRead, node.rowsRead);
        indexes.add(node.index);
      }
    }
  } while (after !== undefined);
  expect(keys).toHaveLength((2 / 3) * CHARGES);
  expect(keys).toEqual(order === 'oldest_first' ? keys.toSorted() : keys.toSorted().reverse());
  expect(rowsRead).toBeLessThanOrEqual(SCAN_ROWS + 1);
  expect(indexes).toEqual(new Set(['charge_user_profile_idx', 'charge_pkey']));
});
