/** Questions whose answer is too large, too much work or not there yet. */

import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';

import type { ChargeContent } from '../../src/charges/charge.ts';
import { UserProfileEraser } from '../../src/charges/store/erase-user-profile.ts';
import { type Failure, ServiceError } from '../../src/errors/failure.ts';
import { readBacklogs } from '../../src/usage/store/journal-follower.ts';
import { keptSums } from '../../src/usage/index.ts';
import { createUsageReader } from '../../src/usage/store/usage-reader.ts';
import { DIMENSION, ORDER, type UsageQuery, WINDOW } from '../../src/usage/usage.ts';
import { EVERYTHING, type UsageBook, UsageStore } from './support/book.ts';
import { chargesAfter, naiveRows } from './support/naive.ts';

const MAX = 2n ** 63n - 1n;
const DAY = 86_400_000_000n;
const START = BigInt(Date.parse('2026-09-10T00:00:00Z')) * 1000n;

let store: UsageStore;
let book: UsageBook;
beforeAll(async () => {
  store = await UsageStore.open();
});
beforeEach(async () => {
  book = await store.newBook();
});
afterAll(() => store.close());

async function failureOf(work: Promise<unknown>): Promise<Failure> {
  const error = await work.then(
    () => new Error('it succeeded'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof ServiceError)) throw error;
  return error.failure;
}

const NO_TOKENS = { promptTokens: 0n, completionTokens: 0n, totalTokens: 0n };
const NO_DETAILS = {
  cacheReadTokens: 0n,
  cacheWrite5mTokens: 0n,
  cacheWrite1hTokens: 0n,
  reasoningTokens: 0n,
  audioInputTokens: 0n,
  audioOutputTokens: 0n,
  imageInputTokens: 0n,
  imageOutputTokens: 0n,
};
const LARGE: [field: string, content: Partial<ChargeContent>, metadata?: Record<string, string>][] = [
  ['prompt_tokens', { promptTokens: MAX, totalTokens: MAX }],
  ['completion_tokens', { completionTokens: MAX, totalTokens: MAX }],
  ['total_tokens', { totalTokens: MAX }],
  ['reasoning_tokens', { tokenDetails: { ...NO_DETAILS, reasoningTokens: MAX } }],
  ['output_characters', { quantities: new Map([[26, MAX]]) }],
  ['reported_costs', { reportedCost: { currencyCode: 'EUR', nanos: MAX } }, { currency_code: 'EUR' }],
  ['costs', { model: 'm', reportedCost: { currencyCode: 'EUR', nanos: MAX } }, { currency_code: 'EUR' }],
];

test.each(LARGE)(
  'two charges with the most %s: the sum is refused by name',
  async (field, large, ...[more]) => {
    // The cost of this model is the reported one.
    if (field === 'costs') await book.addPrice({ model: 'm', rates: undefined });
    const contents = ['alice', 'bob'].map((userProfile, index) => ({
      ...NO_TOKENS,
      ...large,
      userProfile,
      usageTimeMicros: START + BigInt(index) * DAY,
    }));
    const [first = ''] = await book.record(contents);
    const expected = { code: 'OUT_OF_RANGE', reason: 'AMOUNT_OUT_OF_RANGE', metadata: { field, ...more } };
    const expectRefusal = async (): Promise<void> => {
      const orders = [ORDER.window, ORDER.totalTokens];
      for (const orderBy of orders) expect(await failureOf(book.ask({ orderBy }))).toMatchObject(expected);
      expect(await failureOf(book.stream({}))).toMatchObject(expected);
    };
    const expectOthers = async (): Promise<void> => {
      const charges = [...chargesAfter(await book.events(await book.lastSequence())).values()];
      const day = { filter: { startTimeMicros: START, endTimeMicros: START + DAY } };
      for (const query of [{ groupBy: [DIMENSION.userProfile] }, day, { asOfSequence: 1n }]) {
        const known = 'asOfSequence' in query ? charges.slice(0, 1) : charges;
        expect((await book.ask(query)).rows).toEqual(naiveRows(known, { ...EVERYTHING, ...query }));
      }
    };
    await expectRefusal();
    await expectOthers();
    // The sums hold what an answer cannot say.
    expect(await book.follow(100)).toEqual({ events: 2, more: false });
    await expectRefusal();
    await expectOthers();

    await book.void(first);
    const [healed] = (await book.ask({})).rows;
    expect(healed?.sums.charges).toBe(1n);
    await book.followAll();
    expect((await book.ask({})).rows).toEqual([healed]);
    expect(await failureOf(book.ask({ asOfSequence: 2n }))).toMatchObject(expected);
  },
);

test('the advice of a refusal works: each part of it, followed, gives an answer', async () => {
  const hours = [19n, 20n, 23n];
  const of = (userProfile: string, sessionKey: string) =>
    hours.map((hour) => ({ userProfile, sessionKey, usageTimeMicros: START + hour * (DAY / 24n) }));
  const later = of('bob', 't').map((one) => ({ ...one, usageTimeMicros: one.usageTimeMicros + DAY }));
  await book.record([...of('alice', 's'), ...later]);
  await book.followAll();
  const usage = createUsageReader(store.store.reads, 4);
  const filter = { startTimeMicros: START, endTimeMicros: START + 2n * DAY };
  const firstDay = { ...filter, endTimeMicros: START + DAY };
  const alice = { ...filter, userProfile: 'alice' };
  const cases: [asked: Partial<UsageQuery>, advice: RegExp, followed: Partial<UsageQuery>[]][] = [
    [
      { filter, groupBy: [DIMENSION.sessionKey] },
      /a shorter time range, or for one user profile, session, reference or import/,
      [{ filter: firstDay }, { filter: alice }, { filter: { ...filter, sessionKey: 's' } }],
    ],
    [
      { filter, groupBy: [DIMENSION.userProfile], window: WINDOW.hour },
      /windows of days or longer, for a shorter time range, for one user profile, or without user profiles/,
      [{ window: WINDOW.day }, { filter: firstDay }, { filter: alice }, { groupBy: [DIMENSION.model] }],
    ],
    [
      { filter, groupBy: [DIMENSION.userProfile], window: WINDOW.day, timeZone: 'Asia/Kolkata' },
      /whole days in the time zone UTC, for a shorter range, or for one user profile/,
      [{ timeZone: 'UTC' }, { filter: firstDay }, { filter: alice }],
    ],
  ];
  for (const [asked, advice, followed] of cases) {
    const { reason, message } = await failureOf(book.ask(asked, 100, usage));
    expect(reason).toBe('SCAN_LIMIT_EXCEEDED');
    expect(message).toMatch(advice);
    for (const change of followed)
      expect((await book.ask({ ...asked, ...change }, 100, usage)).rows.length).toBeGreaterThan(0);
  }
});

test('a question that would read more charges than allowed is refused, one that reads as many is not', async () => {
  const same = { sessionKey: 's', usageTimeMicros: START };
  await book.record([same, same, { ...same, userProfile: 'bob' }, { ...same, usageTimeMicros: START + DAY }]);
  await book.followAll();
  const usage = createUsageReader(store.store.reads, 3);
  const ask = (question: Parameters<UsageBook['ask']>[0]) => book.ask(question, 100, usage);
  const refused = { code: 'FAILED_PRECONDITION', reason: 'SCAN_LIMIT_EXCEEDED', metadata: { limit: '3' } };
  const range = { startTimeMicros: START, endTimeMicros: START + DAY };
  const groupBy = [DIMENSION.sessionKey];
  expect(await failureOf(ask({ groupBy }))).toMatchObject(refused);
  expect(await failureOf(ask({ filter: { sessionKey: 's' } }))).toMatchObject(refused);
  expect(await failureOf(ask({ groupByLabels: ['team'] }))).toMatchObject(refused);
  const stream = usage.stream(book.tenant, { query: { ...EVERYTHING, groupBy }, bounds: undefined });
  expect(await failureOf(stream.next())).toMatchObject(refused);
  expect((await ask({ groupBy, filter: range })).rows[0]?.sums.charges).toBe(3n);
  expect((await ask({ groupBy, filter: { userProfile: 'alice' } })).rows[0]?.sums.charges).toBe(3n);
  expect((await ask({ groupBy, filter: { sessionKey: 'none' } })).rows).toEqual([]);
  // From kept sums.
  expect((await ask({ groupBy: [DIMENSION.userProfile] })).rows).toHaveLength(2);
});

test('an answer as of a number that the journal has not reached is refused', async () => {
  await book.record([{}]);
  const expected = {
    code: 'OUT_OF_RANGE',
    reason: 'SEQUENCE_OUT_OF_RANGE',
    metadata: { as_of_sequence: '2', last_sequence: '1' },
  };
  expect(await failureOf(book.ask({ asOfSequence: 2n }))).toMatchObject(expected);
  expect(await failureOf(book.ask({ asOfSequence: 2n, groupBy: [DIMENSION.region] }))).toMatchObject(
    expected,
  );
  expect(await failureOf(book.stream({ asOfSequence: 2n }))).toMatchObject(expected);
  expect((await book.ask({ asOfSequence: 1n })).rows[0]?.sums.charges).toBe(1n);
  expect((await book.ask({ asOfSequence: 0n })).rows[0]?.sums.charges).toBe(0n);
});

test('an empty book has an answer to every question', async () => {
  const filter = { startTimeMicros: START, endTimeMicros: START + DAY };
  for (const orderBy of Object.values(ORDER)) {
    expect((await book.ask({ orderBy })).rows).toHaveLength(1);
    expect((await book.ask({ orderBy, groupBy: [DIMENSION.model] })).rows).toEqual([]);
    const windows = { orderBy, filter, window: WINDOW.hour };
    expect((await book.ask(windows)).rows).toEqual([]);
    expect((await book.ask({ ...windows, fill: true })).rows).toHaveLength(24);
    expect((await book.stream({ ...windows, fill: true })).rows).toHaveLength(24);
  }
});

test('a filled answer has at most a million rows', async () => {
  const users = Array.from({ length: 30 }, (_, index) => ({
    userProfile: `user ${index}`,
    usageTimeMicros: START,
  }));
  await book.record(users);
  await book.followAll();
  const filter = { startTimeMicros: START, endTimeMicros: START + 365n * DAY };
  const byUser = { ...EVERYTHING, filter, groupBy: [DIMENSION.userProfile], window: WINDOW.quarterHour };
  expect((await book.ask(byUser)).rows).toHaveLength(30);
  const failure = await failureOf(book.ask({ ...byUser, fill: true }));
  expect(failure).toMatchObject({ reason: 'SCAN_LIMIT_EXCEEDED', metadata: { limit: '1000000' } });
  const daily = { ...byUser, window: WINDOW.day, fill: true };
  expect(
    (await book.ask({ ...daily, filter: { ...filter, endTimeMicros: START + 3n * DAY } })).rows,
  ).toHaveLength(90);
});

test('if it is not known how far the sums are, answers come from charges, and the follower does not begin again', async () => {
  await book.record([{ usageTimeMicros: START }, { usageTimeMicros: START + DAY }]);
  await book.followAll();
  const { pool } = store.store.owner;
  await pool.query('DELETE FROM usage_cursor');
  expect((await book.ask(EVERYTHING)).rows).toMatchObject([{ sums: { charges: 2n } }]);
  await readBacklogs(store.store.everyTenant);
  const { rowCount } = await pool.query('SELECT FROM usage_cursor WHERE tenant = $1', [book.tenant]);
  expect(rowCount).toBe(0);
});

test('if it is not known how far the sums are, an erasure does not say so, and nothing counts twice', async () => {
  await book.record([{ usageTimeMicros: START, userProfile: 'leaver' }, { usageTimeMicros: START + DAY }]);
  await book.followAll();
  await store.store.owner.pool.query('DELETE FROM usage_cursor WHERE tenant = $1', [book.tenant]);
  const eraser = new UserProfileEraser(store.locked, {
    ...{ retryForMs: 5_000, retryAfterMs: 100, sums: keptSums, committed: () => undefined },
  });
  const actor = { principal: { tenant: book.tenant, name: 'api_key:k1' }, peer: '' };
  expect(await eraser.erase(book.tenant, 'leaver', actor)).toMatchObject({ charges: 1, done: true });
  await readBacklogs(store.store.everyTenant);
  expect((await book.ask(EVERYTHING)).rows).toMatchObject([{ sums: { charges: 2n } }]);
});
