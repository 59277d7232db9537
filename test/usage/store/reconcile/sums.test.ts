/** Kept sums that somebody has damaged are found by day, and made again. */

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import pg from 'pg';

import { CHECK } from '../../../../src/usage/reconcile.ts';
import { reprice } from '../../../charges/support/corrections.ts';
import { query } from '../../../support/database.ts';
import { DAY, openReconcileBook, type ReconcileBook, SEPTEMBER, TENANT } from '../../support/reconcile.ts';

let book: ReconcileBook;
beforeEach(async () => {
  book = await openReconcileBook();
});
afterEach(() => book.close());

const SUMS = { checks: [CHECK.sums] };
const day = (number: number): bigint => SEPTEMBER + BigInt(number) * DAY;

/** Everything that is in the sums, apart from rows of zeros. */
const sums = () =>
  query(
    book.url,
    `SELECT * FROM usage_rollup WHERE charges <> 0
     ORDER BY level, start_time, user_profile, model, cost_currency, reported_cost_currency`,
  );

/** A book with charges on three days, some corrected, with sums up to its end and events that are not in them. */
async function write(): Promise<void> {
  const ids = await book.record([0, 0, 0, 1, 1, 3]);
  await book.record([1, 3], 'bob');
  await book.voidCharge(ids[0] ?? '');
  await book.amendCharge(ids[3] ?? '');
  await book.follow();
  await book.record([0, 3, 3]);
  await book.voidCharge(ids[4] ?? '');
  await reprice(book.owner.pool, ids[1] ?? '', 5n);
}

test('a book that nobody has touched has no findings, also with events that are not in the sums', async () => {
  await write();
  const { findings, summary } = await book.reconcile();
  expect(findings).toEqual([]);
  expect(summary).toMatchObject({ drifts: 0, lastSequence: 15n });
  await book.follow();
  expect((await book.reconcile()).findings).toEqual([]);
});

test('a book without charges has no findings', async () => {
  expect((await book.reconcile({ repair: true })).findings).toEqual([]);
});

describe('damage', () => {
  const DAMAGES: readonly [name: string, statement: string, days: readonly number[], found: object][] = [
    [
      'a sum was changed',
      `UPDATE usage_rollup SET total_tokens = total_tokens + 7 WHERE level = 2 AND start_time = '2026-09-02'`,
      [1],
      {
        sum: { level: 2, name: 'total_tokens', currencyCode: '', rows: 3n, userProfile: '', model: 'gpt-4o' },
      },
    ],
    [
      'a row is missing',
      `DELETE FROM usage_rollup WHERE level = 3 AND user_profile = 'bob' AND start_time = '2026-09-04'`,
      [3],
      {
        expected: '1',
        found: '0',
        sum: {
          level: 3,
          name: 'charges',
          currencyCode: '',
          rows: 1n,
          userProfile: 'bob',
          model: 'gpt-4o-mini',
        },
      },
    ],
    [
      'a row is too much, on a day without charges',
      `INSERT INTO usage_rollup SELECT ('2026-09-09'::timestamptz), charges, level, provider, charge_type, service_tier,
         call_outcome, tenant, user_profile, model, other_provider, region, cost_currency, reported_cost_currency,
         prompt_tokens, completion_tokens, total_tokens, cache_read_tokens, cache_write_5m_tokens,
         cache_write_1h_tokens, reasoning_tokens, audio_input_tokens, audio_output_tokens, image_input_tokens,
         image_output_tokens, cost_nanos, reported_cost_nanos, search_queries, input_images, output_images,
         input_milliseconds, output_milliseconds, input_characters, output_characters
       FROM usage_rollup WHERE level = 2 AND start_time = '2026-09-02' AND model = 'gpt-4o'`,
      [8],
      { expected: '0', sum: expect.objectContaining({ level: 2, name: 'charges' }) },
    ],
    [
      'tokens moved from one user to another, with equal totals',
      `UPDATE usage_rollup SET prompt_tokens = prompt_tokens + CASE user_profile WHEN 'bob' THEN 5 ELSE -5 END
       WHERE level = 3 AND start_time = '2026-09-04' AND (user_profile, model) IN (('bob', 'gpt-4o-mini'), ('alice', 'gpt-4o-mini'))`,
      [3],
      { sum: expect.objectContaining({ level: 3, name: 'prompt_tokens', rows: 2n, userProfile: 'alice' }) },
    ],
    [
      'costs are in another currency',
      `UPDATE usage_rollup SET reported_cost_currency = 'EUR' WHERE level = 2 AND start_time = '2026-09-01'`,
      [0],
      { sum: expect.objectContaining({ name: 'reported_cost_nanos', currencyCode: 'EUR' }), expected: '0' },
    ],
    ['all rows are missing', 'DELETE FROM usage_rollup', [0, 1, 3], { expected: '3', found: '1' }],
    [
      'the place was moved back, so events count twice',
      `UPDATE usage_cursor SET sequence = sequence - 3`,
      [0, 1, 3],
      { sum: expect.objectContaining({ name: 'charges' }) },
    ],
    [
      'the place was moved on, so events are left out',
      'UPDATE usage_cursor SET sequence = sequence + 2',
      [0, 3],
      { sum: expect.objectContaining({ name: 'charges' }) },
    ],
  ];

  test.each(DAMAGES)(
    '%s: it is reported, and nothing is changed without repair',
    async (_, statement, days, found) => {
      await write();
      await book.damage(statement);
      const before = await sums();
      const { findings, summary } = await book.reconcile(SUMS);
      expect(new Set(findings.map(({ kind }) => kind))).toEqual(new Set(['sumDiffers']));
      expect([...new Set(findings.map(({ dayMicros }) => dayMicros))]).toEqual(days.map(day));
      expect(findings).toContainEqual(expect.objectContaining({ repaired: false, ...found }));
      expect(summary.drifts).toBe(findings.length);
      expect(await sums()).toEqual(before);
    },
  );

  test.each(DAMAGES)('%s: a repair makes the days again', async (_, statement) => {
    await write();
    await book.damage(statement);
    const { findings, summary } = await book.reconcile({ ...SUMS, repair: true });
    expect(findings.length).toBeGreaterThan(0);
    expect(findings.every(({ repaired }) => repaired)).toBe(true);
    expect(summary.drifts).toBe(0);
    expect((await book.reconcile()).findings).toEqual([]);
    await book.follow();
    expect((await book.reconcile()).findings).toEqual([]);
    const repaired = await sums();
    await query(book.url, 'DELETE FROM usage_rollup', 'UPDATE usage_cursor SET sequence = 0');
    await book.follow();
    expect(await sums()).toEqual(repaired);
  });

  test.each([
    ['is missing', 'DELETE FROM usage_cursor', 'sumCursorMissing', { expected: '15' }],
    [
      'is beyond the journal',
      'UPDATE usage_cursor SET sequence = 99',
      'sumCursorAhead',
      { expected: '15', found: '99' },
    ],
  ])(
    'the place of the sums %s: a repair sets it, and makes the days again',
    async (_, statement, kind, numbers) => {
      await write();
      await book.damage(statement);
      expect((await book.reconcile(SUMS)).findings[0]).toMatchObject({ kind, repaired: false, ...numbers });
      const { findings, summary } = await book.reconcile({ ...SUMS, repair: true });
      expect(findings[0]).toMatchObject({ kind, repaired: true });
      expect((await book.repairs())[0]).toEqual(['sums', { sequence: '15' }]);
      expect(summary.drifts).toBe(0);
      expect(await query(book.url, 'SELECT sequence::int FROM usage_cursor')).toEqual([{ sequence: 15 }]);
      expect((await book.reconcile()).findings).toEqual([]);
      await book.record([0, 5]);
      await book.follow();
      expect((await book.reconcile()).findings).toEqual([]);
    },
  );
});

test('only the days of the range are compared and repaired', async () => {
  await write();
  await book.damage('DELETE FROM usage_rollup');
  const range = { startMicros: day(1) + 5n, endMicros: day(3) };
  const days = async () =>
    new Set((await book.reconcile({ ...SUMS, ...range })).findings.map(({ dayMicros }) => dayMicros));
  expect(await days()).toEqual(new Set([day(1)]));
  await book.reconcile({ ...SUMS, ...range, repair: true });
  expect(await days()).toEqual(new Set());
  expect(await book.repairs()).toEqual([['sums', { day: '2026-09-02' }]]);
  const left = (await book.reconcile(SUMS)).findings.map(({ dayMicros }) => dayMicros);
  expect(new Set(left)).toEqual(new Set([day(0), day(3)]));
});

test('all findings are counted, and those of the first 100 days are named', async () => {
  const days = 103;
  await book.record(Array.from({ length: days }, (_, index) => index));
  await book.follow();
  await book.damage('DELETE FROM usage_rollup');
  const { findings, summary } = await book.reconcile(SUMS);
  expect(new Set(findings.map(({ dayMicros }) => dayMicros)).size).toBe(100);
  expect(summary.drifts).toBe((findings.length / 100) * days);
});

test('while writers write and the sums follow, nothing is found that is not damaged, and repairs lose nothing', async () => {
  await write();
  const follower = book.startFollower();
  let isDone = false;
  const writing = Array.from({ length: 3 }, async (_, writer) => {
    for (let round = 0; !isDone; round++) {
      const ids = await book.record([0, 1, 2, 3, 4], `user-${writer}`);
      await book.voidCharge(ids[round % 5] ?? '');
      if (round % 2 === 0) await book.amendCharge(ids[(round + 1) % 5] ?? '');
    }
  });
  try {
    for (let round = 0; round < 6; round++) {
      expect((await book.reconcile()).findings).toEqual([]);
      await book.damage(
        round % 2 === 0
          ? `UPDATE usage_rollup SET charges = charges + 1, cost_nanos = 5 WHERE tenant = '${TENANT}'`
          : `DELETE FROM usage_rollup WHERE start_time >= '2026-09-03'`,
      );
      const { findings, summary } = await book.reconcile({ repair: true });
      expect(findings.length).toBeGreaterThan(0);
      expect(findings.filter(({ repaired }) => !repaired)).toEqual([]);
      expect(summary.drifts).toBe(0);
    }
  } finally {
    isDone = true;
    await Promise.all(writing);
    await follower.stop();
  }
  await book.follow();
  const repaired = await sums();
  await query(book.url, 'DELETE FROM usage_rollup', 'UPDATE usage_cursor SET sequence = 0');
  await book.follow();
  expect(await sums()).toEqual(repaired);
});

test('one run at a time', async () => {
  await write();
  const first = book.reconcile();
  await expect(book.reconcile()).rejects.toMatchObject({
    failure: { reason: 'OVERLOADED', metadata: { limit: 'reconcile_runs' } },
  });
  await first;
  const other = new pg.Client({ connectionString: book.url });
  await other.connect();
  await other.query(`SELECT pg_advisory_lock(1381319503, hashtext('${TENANT}'))`);
  await expect(book.reconcile()).rejects.toMatchObject({ failure: { reason: 'OVERLOADED' } });
  await other.query('SELECT pg_advisory_unlock_all()');
  await other.end();
  expect((await book.reconcile()).findings).toEqual([]);
});
