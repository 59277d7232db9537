/** The generated book of the bench is one that the service could have written. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { fillBook } from '../../bench/lib/book.ts';
import type { ChargeEvent } from '../../src/charges/charge-event.ts';
import { readChargeEvents } from '../../src/charges/store/charge-events.ts';
import { forTenant } from '../../src/database/driver.ts';
import { type Database, openDatabase } from '../../src/database/orm.ts';
import { createMigratedDatabase, query, type TestDatabase } from '../support/database.ts';
import { connectionTo } from '../support/store.ts';

const CHARGES = 20_000;
const PAGE = 5_000;
const options = { charges: CHARGES, endMs: Date.UTC(2026, 10, 1), published: true };

let book: TestDatabase;
let database: Database;
let events: ChargeEvent[];
beforeAll(async () => {
  book = await newBook();
  database = await openDatabase(connectionTo(book.url));
  events = await readEvents();
});
afterAll(async () => {
  await database.close();
  await book.drop();
});

async function newBook(): Promise<TestDatabase> {
  const made = await createMigratedDatabase();
  await fillBook(made.url, options);
  return made;
}

async function readEvents(): Promise<ChargeEvent[]> {
  const read: ChargeEvent[] = [];
  for (;;) {
    const page = await readChargeEvents(
      forTenant(database.em, 'default'),
      'default',
      BigInt(read.length),
      PAGE,
    );
    if (page.length === 0) return read;
    read.push(...page.filter((event) => event.kind !== 'erased'));
  }
}

test('the journal has every number once, and the head has the last one', async () => {
  expect(events.map(({ sequence }) => Number(sequence))).toEqual(events.map((_, index) => index + 1));
  const [head] = await query(book.url, 'SELECT last_sequence FROM journal_head');
  expect(head).toEqual({ last_sequence: String(events.length) });
});

test('every charge is announced once: as new, or as the replacement of another one', async () => {
  const announced = events.flatMap(({ kind, charge }) =>
    kind === 'created' || kind === 'amended' ? charge.id : [],
  );
  const rows = await query(book.url, 'SELECT id, amends IS NULL AS is_new FROM charge');
  expect(rows.filter(({ is_new }) => is_new)).toHaveLength(CHARGES);
  expect(announced.sort()).toEqual(rows.map(({ id }) => String(id)).sort());
});

test('every correction and every new cost is announced once, with the number that it has', async () => {
  const numbers = await query(
    book.url,
    `SELECT id, sequence FROM correction UNION ALL SELECT id, sequence FROM cost_revision ORDER BY sequence`,
  );
  const announced = events.filter(({ kind }) => kind !== 'created');
  expect(announced.map(({ id, sequence }) => ({ id, sequence: String(sequence) }))).toEqual(numbers);
  for (const kind of ['voided', 'amended', 'repriced'])
    expect(announced.filter((event) => event.kind === kind).length).toBeGreaterThan(CHARGES * 0.002);
});

test('nothing happens to a charge before it exists, or after it was voided or amended', () => {
  const active = new Set<string>();
  for (const event of events) {
    const subject = event.kind === 'amended' ? event.original.id : event.charge.id;
    if (event.kind !== 'created') expect(active).toContain(subject);
    if (event.kind === 'voided' || event.kind === 'amended') active.delete(subject);
    if (event.kind === 'created' || event.kind === 'amended') active.add(event.charge.id);
  }
});

test('a new cost differs from the one before it', () => {
  const revisions = new Map<string, bigint | undefined>();
  for (const event of events) {
    if (event.kind !== 'repriced') continue;
    const { id, costNanos, status } = event.charge;
    if (status?.revision === 2) expect(event.previousCost.costNanos).toBe(revisions.get(id));
    expect(costNanos).not.toBe(event.previousCost.costNanos);
    revisions.set(id, costNanos);
  }
  expect(revisions.size).toBeGreaterThan(0);
});

test('times agree with ids, and the journal is in their order', async () => {
  const [wrong] = await query(
    book.url,
    `SELECT
       (SELECT count(*) FROM charge WHERE create_time <> uuid_extract_timestamp(id)) AS charges,
       (SELECT count(*) FROM correction WHERE create_time <> uuid_extract_timestamp(id)) AS corrections,
       (SELECT count(*) FROM cost_revision WHERE create_time <> uuid_extract_timestamp(id)) AS revisions`,
  );
  expect(wrong).toEqual({ charges: '0', corrections: '0', revisions: '0' });
  const times = events.map(({ id }) => parseInt(id.slice(0, 8) + id.slice(9, 13), 16));
  expect(times).toEqual([...times].sort((a, b) => a - b));
});

test('the same arguments make the same book', async () => {
  const other = await newBook();
  try {
    const digest = (url: string) =>
      query(
        url,
        ['charge', 'correction', 'cost_revision', 'journal']
          .map((table) => `SELECT sum(hashtextextended(t::text, 0)) AS digest FROM ${table} AS t`)
          .join(' UNION ALL '),
      );
    expect(await digest(other.url)).toEqual(await digest(book.url));
  } finally {
    await other.drop();
  }
});
