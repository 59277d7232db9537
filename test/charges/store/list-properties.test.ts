/** Pages of a list hold exactly the charges that match, in order, however few rows one page may read. */

import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';

import { matches } from '../../../src/charges/charge-filter.ts';
import type { Charge, ChargeFilter, ChargeRequest } from '../../../src/charges/charge.ts';
import type { ListQuery } from '../../../src/charges/ports.ts';
import {
  ADMINISTRATOR,
  chargeRequest,
  openTestStore,
  readerOf,
  type TestStore,
} from '../../support/store.ts';

const TENANT = 'default';
const START = 1_787_616_000_000_000n;
const IMPORT_ID = '01a5b8e2-8d6f-7cc3-98c4-dc0c0c07398f';
const RED = new Map([['team', 'red']]);
/** Charges that are created in one millisecond. */
const GROUP_SIZE = 40;

let store: TestStore;
/** Every charge, also those that were corrected. */
const charges: Charge[] = [];
const corrected = new Set<string>();

beforeAll(async () => {
  store = await openTestStore();
  // Few values and few times: every filter has matches, and many charges share a place in an index.
  const request = (id: string, n: number): ChargeRequest => ({
    ...chargeRequest(id, {
      userProfile: n % 3 === 0 ? 'bob' : 'alice',
      sessionKey: n % 4 === 0 ? '' : 'session',
      provider: 1 + (n % 2),
      chargeType: 1 + (n % 3 === 1 ? 1 : 0),
      model: n % 5 === 0 ? 'rare' : 'common',
      reference: n % 7 === 0 ? 'invoice' : '',
      labels: n % 6 === 0 ? RED : new Map<string, string>(),
      usageTimeMicros: START + BigInt(n % 8 < 6 ? 0 : n % 8),
    }),
    ...(n % 2 === 0 && { importId: IMPORT_ID }),
  });
  for (let group = 0; group < 3; group++) {
    const now = jest.spyOn(Date, 'now').mockReturnValue(Date.now());
    const requests = Array.from({ length: GROUP_SIZE }, (_, i) => request(`${group}/${i}`, group + i));
    const results = await store.writer.record(TENANT, requests).finally(() => now.mockRestore());
    for (const result of results) if (result.outcome === 'created') charges.push(result.charge);
  }
  for (const { id, labels } of charges.filter((_, n) => n % 9 === 0)) {
    corrected.add(id);
    const correction = {
      key: { id },
      requestId: `correct-${id}`,
      reason: 'a test',
      allowClosedPeriod: false,
    };
    if (corrected.size % 2 === 0) {
      await store.corrector.voidCharge(TENANT, { ...correction, kind: 'void' }, ADMINISTRATOR);
    } else {
      const { content } = chargeRequest('', { labels, completionTokens: 1n });
      const amended = await store.corrector.amendCharge(
        TENANT,
        { ...correction, kind: 'amend', content },
        ADMINISTRATOR,
      );
      if (amended.replacement !== undefined) charges.push(amended.replacement);
    }
  }
});
afterAll(() => store.close());

function naiveIds({ filter, order, includeCorrected }: Omit<ListQuery, 'after' | 'limit'>): string[] {
  const ids = charges
    .filter((charge) => matches(filter, charge) && (includeCorrected || !corrected.has(charge.id)))
    .toSorted((a, b) => Number(a.usageTimeMicros - b.usageTimeMicros) || (a.id < b.id ? -1 : 1))
    .map(({ id }) => id);
  return order === 'oldest_first' ? ids : ids.reverse();
}

const time = fc.bigInt(START - 1n, START + 9n);
const filter: fc.Arbitrary<ChargeFilter> = fc.record(
  {
    userProfile: fc.constantFrom('alice', 'bob'),
    sessionKey: fc.constant('session'),
    provider: fc.constantFrom(1, 2),
    chargeType: fc.constantFrom(1, 2),
    model: fc.constantFrom('rare', 'common', 'none'),
    reference: fc.constant('invoice'),
    labels: fc.constantFrom(RED, new Map([['team', 'blue']])),
    importId: fc.constant(IMPORT_ID),
    startTimeMicros: time,
    endTimeMicros: time,
  },
  { requiredKeys: [] },
);
const list = fc.record({
  filter,
  order: fc.constantFrom('newest_first' as const, 'oldest_first' as const),
  includeCorrected: fc.boolean(),
  limit: fc.integer({ min: 1, max: 30 }),
  scanRowsMax: fc.integer({ min: 1, max: 2 * GROUP_SIZE }),
});

test('whatever the filter, the order and the limit of rows', async () => {
  let emptyPages = 0;
  const property = fc.asyncProperty(list, async ({ scanRowsMax, ...query }) => {
    const reader = readerOf(store.reads, store.database, { scanRowsMax });
    const ids: string[] = [];
    let after: ListQuery['after'];
    do {
      const page = await reader.list(TENANT, { ...query, after });
      expect(page.charges.length).toBeLessThanOrEqual(query.limit);
      if (page.charges.length === 0 && page.next !== undefined) emptyPages++;
      ids.push(...page.charges.map(({ id }) => id));
      after = page.next;
    } while (after !== undefined);
    expect(ids).toEqual(naiveIds(query));
  });
  await fc.assert(property, { numRuns: 60 });
  expect(emptyPages).toBeGreaterThan(0);
});
