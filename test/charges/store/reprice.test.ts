/** What a reprice changes, and what it leaves alone. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { ServiceError } from '../../../src/errors/failure.ts';
import type { RepricePage } from '../../../src/charges/ports.ts';
import { ADMINISTRATOR } from '../../support/store.ts';
import { END, QUERY, RepriceStore, START, TENANT } from '../support/reprice.ts';

let book: RepriceStore;
beforeEach(async () => {
  book = await RepriceStore.open();
});
afterEach(() => book.close());

/** A dollar for a million prompt tokens: 374,000 nanos for the 374 of `chargeRequest`. */
const RATES = { 1: '1000000000', 2: '0' };
const DOUBLE = { 1: '2000000000', 2: '0' };

const amountsOf = ({ totals }: RepricePage) => Object.fromEntries(totals.amounts);

async function failureOf(promise: Promise<unknown>) {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ServiceError)) throw new Error(`no failure: ${String(error)}`);
  return error.failure;
}

test('charges without a cost get the one of a price that was added later', async () => {
  const [charge] = await book.record('a', [{}, { model: 'other' }]);
  const version = await book.addPrice({ rates: RATES });
  const page = await book.reprice();
  expect(page).toMatchObject({ lastSequence: 3n, next: undefined });
  expect(page.totals).toMatchObject({ matchedCharges: 2, changedCharges: 1, unpricedCharges: 1 });
  expect(amountsOf(page)).toEqual({ USD: { before: 0n, after: 374_000n } });

  const now = await book.store.reader.findById(TENANT, charge?.id ?? '');
  expect(now).toMatchObject({ costNanos: 374_000n, costCurrency: 'USD', priceVersion: version });
  expect(now?.status).toMatchObject({ state: 1, revision: 1 });
  const { rows } = await book.store.owner.pool.query(
    `SELECT r.sequence, r.revision, run.run_id, run.reason, j.kind, j.event_ids = ARRAY[r.id] AS numbered
     FROM cost_revision r JOIN reprice_run run USING (tenant, run) JOIN journal j ON last_sequence = r.sequence`,
  );
  expect(rows).toEqual([
    { sequence: '3', revision: 1, run_id: 'run', reason: 'a test', kind: 4, numbered: true },
  ]);
});

test('charges with a cost are left alone unless they are asked for', async () => {
  await book.addPrice({ rates: RATES });
  await book.record('a', [{}]);
  await book.addPrice({ rates: DOUBLE });
  expect((await book.reprice()).totals.matchedCharges).toBe(0);
  const page = await book.reprice({ includePriced: true, runId: 'all' });
  expect(page.totals).toMatchObject({ matchedCharges: 1, changedCharges: 1, unpricedCharges: 0 });
  expect(amountsOf(page)).toEqual({ USD: { before: 374_000n, after: 748_000n } });
});

test('another version with the same amount changes nothing', async () => {
  await book.addPrice({ rates: RATES });
  await book.record('a', [{}]);
  await book.addPrice({ rates: { ...RATES, 3: '7' } });
  const before = await book.rowCounts();
  const page = await book.reprice({ includePriced: true });
  expect(page.totals).toMatchObject({ matchedCharges: 1, changedCharges: 0 });
  expect(await book.rowCounts()).toEqual(before);
});

test('another reason for having no cost is recorded', async () => {
  const [charge] = await book.record('a', [{}]);
  await book.addPrice({ rates: { 2: '1' } });
  const page = await book.reprice();
  expect(page.totals).toMatchObject({ matchedCharges: 1, changedCharges: 1, unpricedCharges: 1 });
  expect(amountsOf(page)).toEqual({});
  const now = await book.store.reader.findById(TENANT, charge?.id ?? '');
  expect(now).toMatchObject({ costNanos: undefined, unpricedReason: 2, unpricedKinds: 2, priceVersion: 1 });
});

test('a dry run tells what a run then does, and records nothing', async () => {
  await book.record('a', Array<object>(20).fill({}));
  await book.addPrice({ rates: RATES });
  const before = await book.rowCounts();
  const dry = await book.reprice({ dryRun: true, runId: '', reason: '' });
  expect(await book.rowCounts()).toEqual(before);
  expect(dry.lastSequence).toBe(0n);
  const { totals } = await book.reprice();
  expect(totals).toEqual(dry.totals);
});

test('voided charges are left alone', async () => {
  const [first, second] = await book.record('a', [{}, {}]);
  await book.addPrice({ rates: RATES });
  await book.void([first?.id ?? '']);
  expect((await book.reprice()).totals).toMatchObject({ matchedCharges: 1, changedCharges: 1 });
  expect([...(await book.charges()).keys()]).toEqual([second?.id]);
  const { rows } = await book.store.owner.pool.query('SELECT charge_id FROM cost_revision');
  expect(rows).toEqual([{ charge_id: second?.id }]);
});

test('pages of any size reach every charge once, also those of one usage time', async () => {
  const contents = Array.from({ length: 60 }, (_, n) => ({
    usageTimeMicros: START + BigInt(n % 5) * 1_000_000n,
  }));
  await book.record('a', contents);
  await book.addPrice({ rates: RATES });
  const pages = await book.repriceAll({ maxCharges: 7 });
  expect(pages.map(({ totals }) => totals.changedCharges)).toEqual([7, 7, 7, 7, 7, 7, 7, 7, 4]);
  for (const { status } of (await book.charges()).values()) expect(status?.revision).toBe(1);
});

test('a call with little time looks at some rows and says where to go on', async () => {
  await book.record('a', [...Array<object>(1_200).fill({ model: 'other' }), {}]);
  await book.addPrice({ rates: RATES });
  const filter = { startTimeMicros: START, endTimeMicros: END, model: 'gpt-4o' };
  const pages: RepricePage[] = [];
  for (let after; pages.length === 0 || after !== undefined; after = pages.at(-1)?.next) {
    const query = { ...queryFor(filter), after };
    pages.push(await book.repricer.reprice(TENANT, query, { ...ADMINISTRATOR, timeoutMs: 1 }));
  }
  expect(pages.map(({ totals }) => totals.changedCharges)).toEqual([0, 0, 1]);
});

test('a page done again after its answer was lost changes nothing', async () => {
  await book.record('a', Array<object>(10).fill({}));
  await book.addPrice({ rates: RATES });
  const first = await book.reprice({ maxCharges: 5, includePriced: true });
  const counts = await book.rowCounts();
  const again = await book.reprice({ maxCharges: 5, includePriced: true });
  expect(again.totals).toMatchObject({ matchedCharges: 5, changedCharges: 0 });
  expect(again.next).toEqual(first.next);
  expect(await book.rowCounts()).toEqual(counts);
});

test('a run id stands for one filter and one reason', async () => {
  await book.record('a', [{}, {}]);
  await book.addPrice({ rates: RATES });
  await book.reprice({ maxCharges: 1 });
  const other = { startTimeMicros: START, endTimeMicros: END - 1n };
  const before = await book.rowCounts();
  for (const [query, field] of [
    [{ filter: other }, 'filter.end_time'],
    [{ filter: { ...queryFor({}).filter, labels: new Map([['a', 'b']]) } }, 'filter.labels'],
    [{ includePriced: true }, 'include_priced'],
    [{ reason: 'another' }, 'reason'],
  ] as const) {
    expect(await failureOf(book.reprice(query))).toMatchObject({
      code: 'ALREADY_EXISTS',
      reason: 'REQUEST_ID_REUSED',
      metadata: { request_id: 'run', field },
    });
  }
  expect(await book.rowCounts()).toEqual(before);
  await book.reprice();
  const { rows } = await book.store.owner.pool.query('SELECT run FROM reprice_run');
  expect(rows).toHaveLength(1);
});

test('costs in a closed period change only if that is allowed', async () => {
  await book.record('a', [{}, {}, {}]);
  await book.addPrice({ rates: RATES });
  await book.store.corrector.closePeriod(TENANT, START + 1_000_000n, ADMINISTRATOR);
  const before = await book.rowCounts();
  for (const dryRun of [true, false]) {
    expect(await failureOf(book.reprice({ dryRun }))).toMatchObject({
      code: 'FAILED_PRECONDITION',
      reason: 'PERIOD_CLOSED',
      metadata: { end_time: '2026-08-25T00:00:01.000Z', sequence: '3' },
    });
  }
  expect(await book.rowCounts()).toEqual(before);
  const filter = { startTimeMicros: START + 1_000_000n, endTimeMicros: END };
  expect((await book.reprice({ filter })).totals.changedCharges).toBe(2);
  expect((await book.reprice({ allowClosedPeriod: true, runId: 'late' })).totals.changedCharges).toBe(1);
  // What would not change is no reason to refuse.
  expect((await book.reprice({ includePriced: true, runId: 'all' })).totals.matchedCharges).toBe(3);
});

test('a sum that is too large ends the page before it, and then the call', async () => {
  const huge = { model: 'routed', reportedCost: { currencyCode: 'EUR', nanos: 5n * 10n ** 18n } };
  const late = Array.from({ length: 2 }, () => ({ ...huge, usageTimeMicros: END - 1n }));
  await book.record('a', [...Array<object>(500).fill({}), ...late]);
  await book.addPrice({ rates: RATES });
  await book.addPrice({ model: 'routed' });
  const first = await book.reprice();
  expect(first.totals).toMatchObject({ matchedCharges: 500, changedCharges: 500 });
  const after = first.next;
  expect(after).toBeDefined();
  const before = await book.rowCounts();
  expect(await failureOf(book.reprice({ after }))).toMatchObject({
    code: 'OUT_OF_RANGE',
    reason: 'AMOUNT_OUT_OF_RANGE',
    metadata: { currency_code: 'EUR' },
  });
  expect(await book.rowCounts()).toEqual(before);
  const pages = await book.repriceAll({ after, maxCharges: 1 });
  expect(pages.map(({ totals }) => totals.changedCharges)).toEqual([1, 1]);
});

function queryFor(filter: object) {
  return { ...QUERY, filter: { startTimeMicros: START, endTimeMicros: END, ...filter } };
}
