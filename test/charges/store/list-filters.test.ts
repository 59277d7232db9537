/** Filters travel in the text of the statement: whatever a caller writes into one stays a value. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { chargeRequest, openTestStore, type TestStore } from '../../support/store.ts';

const TENANT = 'default';
const VALUES = [
  "'",
  "''",
  "x' OR 'a' = 'a",
  "'; DROP TABLE charge; --",
  '\\',
  "\\'",
  "E'a\\\\'",
  '?',
  '??',
  "'?'",
  '$1',
  ':name',
  '"',
  '%',
  'two\nlines',
  '\u{1F600}\uFEFF',
];

let store: TestStore;
beforeAll(async () => {
  store = await openTestStore();
  await store.writer.record(
    TENANT,
    VALUES.map((value) =>
      chargeRequest(`request ${value}`, {
        userProfile: value,
        sessionKey: value,
        model: value,
        reference: value,
        labels: new Map([[value, value]]),
      }),
    ),
  );
});
afterAll(() => store.close());

test.each(VALUES)('by %j finds the charge that has it, and no other', async (value) => {
  const found = await store.reader.findByRequestId(TENANT, `request ${value}`);
  expect(found?.model).toBe(value);
  const filters = [
    { userProfile: value },
    { sessionKey: value },
    { model: value },
    { reference: value },
    { labels: new Map([[value, value]]) },
  ];
  for (const filter of filters) {
    const query = {
      filter,
      order: 'newest_first',
      includeCorrected: false,
      limit: 100,
      after: undefined,
    } as const;
    for (const options of [{}, { timeoutMs: 10_000 }]) {
      const { charges } = await store.reader.list(TENANT, query, options);
      expect(charges.map(({ id }) => id)).toEqual([found?.id]);
    }
  }
});
