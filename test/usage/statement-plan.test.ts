/** What an answer reads, if every table was empty when PostgreSQL last looked: rows by their keys, and never a whole table. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { DIMENSION, type UsageQuery, WINDOW } from '../../src/usage/usage.ts';
import { explain, type PlanNode, type Statement, statementsOf } from '../support/explain.ts';
import { EVERYTHING, type UsageBook, UsageStore } from './support/book.ts';

const START = BigInt(Date.parse('2026-09-10T00:00:00Z')) * 1000n;
const HOUR = 3_600_000_000n;
const DAY = 24n * HOUR;
const DAYS = 200;
/** Charges of each day; so many of them are voided, and one of them is repriced. */
const PER_DAY = 100;
const VOIDED = 10;

let store: UsageStore;
let book: UsageBook;
beforeAll(async () => {
  store = await UsageStore.open();
  const { pool } = store.store.owner;
  const sums = ['quarter_hour', 'day', 'user_day'].map((level) => `usage_rollup_${level}`);
  for (const table of ['charge', 'correction', 'cost_revision', 'journal', ...sums, 'usage_cursor']) {
    await pool.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
    await pool.query(`ANALYZE ${table}`);
  }
  book = await store.newBook();
  const chargesOf = (day: number) =>
    Array.from({ length: PER_DAY }, (_, index) => ({
      userProfile: `user ${index}`,
      sessionKey: `session ${day}`,
      model: index === VOIDED ? 'repriced' : 'm',
      usageTimeMicros: START + BigInt(day) * DAY + BigInt(index) * 600_000_000n,
    }));
  const ids: string[] = [];
  for (let day = 0; day < DAYS; day++) ids.push(...(await book.record(chargesOf(day))).slice(0, VOIDED));
  await book.addPrice({ model: 'repriced', rates: { 1: 1_000_000n, 2: 1_000_000n } });
  await book.reprice(false);
  await Promise.all(ids.map((id) => book.void(id)));
  await book.followAll();
});
afterAll(() => store.close());

async function nodesOf(question: Partial<UsageQuery>): Promise<PlanNode[]> {
  const query = { ...EVERYTHING, ...question };
  const { pool } = store.store.database;
  const statements = await statementsOf(pool, () => book.ask(query, 1_000));
  const answers = statements.filter(({ sql }) => sql.includes('WITH part'));
  expect(answers).toHaveLength(1);
  // As in the snapshot of an answer.
  return explain(pool, book.tenant, answers[0] as Statement, 'SET LOCAL enable_sort = off');
}

/** Rows that were read of a table. */
const rowsOf = (nodes: readonly PlanNode[], table: string): number =>
  nodes
    .filter(({ type, relation }) => relation?.startsWith(table) && type !== 'ModifyTable')
    .reduce((sum, { rowsRead }) => sum + rowsRead, 0);

function expectKeysOnly(nodes: readonly PlanNode[]): void {
  const scans = nodes.filter(({ type, relation }) => relation !== undefined && type !== 'ModifyTable');
  // These tables have a row for each tenant.
  const large = scans.filter(({ relation = '' }) => !['journal_head', 'usage_cursor'].includes(relation));
  for (const { type } of large) expect(['Index Scan', 'Index Only Scan']).toContain(type);
}

const dayRange = { startTimeMicros: START + 5n * DAY, endTimeMicros: START + 6n * DAY };
const hourRange = { startTimeMicros: START + 5n * DAY + 1n, endTimeMicros: START + 5n * DAY + 3n * HOUR };

test('charges of a range look up their corrections and costs', async () => {
  const nodes = await nodesOf({ filter: dayRange, groupBy: [DIMENSION.sessionKey] });
  expectKeysOnly(nodes);
  expect(rowsOf(nodes, 'charge')).toBe(PER_DAY);
  expect(rowsOf(nodes, 'correction')).toBe(VOIDED);
  expect(rowsOf(nodes, 'cost_revision')).toBeLessThanOrEqual(1);
  expect(rowsOf(nodes, 'journal')).toBe(0);
});

test('charges of a session are read by their index', async () => {
  const nodes = await nodesOf({ filter: { sessionKey: 'session 7' } });
  expectKeysOnly(nodes);
  expect(rowsOf(nodes, 'charge')).toBe(PER_DAY);
  expect(rowsOf(nodes, 'correction')).toBe(VOIDED);
});

test('kept sums of a range are read, or at most those of their level: of all users, they are few', async () => {
  const nodes = await nodesOf({ filter: dayRange, groupBy: [DIMENSION.model] });
  expectKeysOnly(nodes);
  expect(rowsOf(nodes, 'charge')).toBe(0);
  expect(rowsOf(nodes, 'correction')).toBe(0);
  expect(rowsOf(nodes, 'usage_rollup_user_day')).toBe(0);
  expect(rowsOf(nodes, 'usage_rollup_quarter_hour')).toBe(0);
});

test('kept sums of one user are read by their key', async () => {
  const filter = { startTimeMicros: START, endTimeMicros: START + 50n * DAY, userProfile: 'user 5' };
  const nodes = await nodesOf({ filter });
  expectKeysOnly(nodes);
  expect(rowsOf(nodes, 'charge')).toBe(0);
  // Of each day, the rows of all users that tell that there is one, and that of the user.
  expect(rowsOf(nodes, 'usage_rollup')).toBeLessThanOrEqual(50 * 5);
});

test('a range that begins and ends within a quarter of an hour reads the charges of those quarters', async () => {
  const nodes = await nodesOf({ filter: hourRange, window: WINDOW.hour });
  expectKeysOnly(nodes);
  expect(rowsOf(nodes, 'charge')).toBeLessThanOrEqual(4);
});

test('the tail of the journal is looked up event by event, forwards and backwards', async () => {
  const last = await book.lastSequence();
  const [id = ''] = await book.record([{ usageTimeMicros: START, userProfile: 'late', model: 'repriced' }]);
  await book.void(id);
  const nodes = await nodesOf({ groupBy: [DIMENSION.region], asOfSequence: last - 3n });
  expectKeysOnly(nodes);
  // Two events after the sums, and five after the number that is asked for.
  expect(rowsOf(nodes, 'charge')).toBeLessThanOrEqual(7);
  expect(rowsOf(nodes, 'correction')).toBeLessThanOrEqual(7);
  expect(rowsOf(nodes, 'journal')).toBeLessThanOrEqual(10);
  await book.followAll();
});

test('a step of the follower reads what the events are about, and no more', async () => {
  const [id = ''] = await book.record([{ usageTimeMicros: START, model: 'repriced' }]);
  await book.void(id);
  const { pool } = store.store.database;
  const statements = await statementsOf(pool, () => book.follow(10));
  const step = statements.find((one) => one.sql.includes('INSERT INTO usage_rollup')) as Statement;
  const nodes = await explain(pool, book.tenant, step);
  expectKeysOnly(nodes);
  expect(rowsOf(nodes, 'charge')).toBe(2);
  expect(rowsOf(nodes, 'correction')).toBe(1);
  expect(rowsOf(nodes, 'journal')).toBeLessThanOrEqual(4);
});
