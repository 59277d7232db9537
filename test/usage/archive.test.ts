/** Sums over archived charges: they stay the same, or the question is refused. They are never less. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { inTransaction } from '../../src/database/transaction.ts';
import { lockTenant } from '../../src/journal/index.ts';
import { archiveCharges } from '../../src/charges/store/archive-charges.ts';
import { ADMINISTRATOR } from '../support/store.ts';
import { ALL_TIMES, EVERYTHING, UsageStore } from './support/book.ts';

let parts: UsageStore;
beforeAll(async () => {
  parts = await UsageStore.open();
});
afterAll(() => parts.close());

const MARCH = 1_772_323_200_000_000n;
const DAY = 86_400_000_000n;

test('kept sums are the same after archiving, and what only charges could answer is refused', async () => {
  const book = await parts.newBook();
  const { pool } = parts.store.owner;
  const ids = await book.record([
    { usageTimeMicros: MARCH - DAY, userProfile: 'a', sessionKey: 's', promptTokens: 7n },
    { usageTimeMicros: MARCH - 1n, userProfile: 'b', promptTokens: 5n },
    { usageTimeMicros: MARCH, userProfile: 'a', sessionKey: 's', promptTokens: 3n },
  ]);
  await book.follow(100);
  await pool.query(
    `INSERT INTO period_close (tenant, end_time, create_time, sequence)
     VALUES ($1, '2026-03-02T00:00:00Z', now() + interval '20 minutes', 3)`,
    [book.tenant],
  );
  await pool.query('INSERT INTO relay_cursor (tenant, published_sequence) VALUES ($1, 3)', [book.tenant]);
  const question = { ...EVERYTHING, filter: ALL_TIMES };
  const byDay = { ...question, filter: { startTimeMicros: MARCH - 2n * DAY, endTimeMicros: MARCH + DAY } };
  const session = { ...byDay, filter: { ...byDay.filter, sessionKey: 's' } };
  const before = await Promise.all([question, byDay].map((query) => book.ask(query)));
  expect((await book.ask(session)).rows).toMatchObject([{ sums: { charges: 2n } }]);
  await book.record([{ usageTimeMicros: MARCH, userProfile: 'a', sessionKey: 's', promptTokens: 3n }]);

  await inTransaction(
    parts.locked,
    book.tenant,
    async (transaction) => {
      await lockTenant(transaction.client, book.tenant);
      // Questions are refused up to the last usage that was removed, not up to this.
      const request = {
        endTimeMicros: MARCH + DAY,
        ids: ids.slice(0, 2),
        dryRun: false,
        actor: ADMINISTRATOR,
      };
      const { results } = await archiveCharges(transaction, book.tenant, request);
      expect(results).toEqual([{ archived: 2, alreadyArchived: 0, sequence: 3n }]);
      return undefined;
    },
    () => undefined,
  );
  const asOf = (query: typeof question) => book.ask({ ...query, asOfSequence: 3n });
  expect(await Promise.all([question, byDay].map(asOf))).toEqual(before);
  const end = { end_time: '2026-03-01T00:00:00.000Z' };
  await expect(book.ask(session)).rejects.toMatchObject({
    failure: { reason: 'CHARGE_ARCHIVED', metadata: end },
  });
  const odd = { ...byDay.filter, startTimeMicros: MARCH - DAY - 1n };
  await expect(book.ask({ ...byDay, filter: odd })).rejects.toMatchObject({
    failure: { reason: 'CHARGE_ARCHIVED' },
  });
  await expect(book.ask({ ...question, asOfSequence: 2n })).rejects.toMatchObject({
    failure: { reason: 'SEQUENCE_ARCHIVED', metadata: { first_sequence: '3' } },
  });
  const later = { ...session, filter: { ...session.filter, startTimeMicros: MARCH } };
  expect((await book.ask(later)).rows).toMatchObject([{ sums: { charges: 2n } }]);
});
