/** Reprices beside new charges, new prices, voids, other reprices and a PostgreSQL that goes away. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { ClientBase } from 'pg';

import { inTransaction } from '../../../src/database/transaction.ts';
import { lockTenant } from '../../../src/journal/index.ts';
import { chargeRequest } from '../../support/store.ts';
import { waitFor } from '../../support/wait-for.ts';
import { RepriceStore, START, TENANT } from '../support/reprice.ts';

let book: RepriceStore;
beforeEach(async () => {
  book = await RepriceStore.open();
});
afterEach(() => book.close());

const ratesOf = (factor: number) => ({ 1: String(factor * 1_000_000_000), 2: '0' });

/** One row per event of the journal: what it adds to the sum of all costs. */
const EVENTS = `
SELECT sequence, kind, delta FROM (
  SELECT last_sequence - cardinality(event_ids) + place AS sequence, kind, id
  FROM journal CROSS JOIN LATERAL unnest(event_ids) WITH ORDINALITY AS event (id, place)
) AS event
LEFT JOIN LATERAL (
  SELECT CASE kind
    WHEN 1 THEN (SELECT cost_nanos FROM charge WHERE charge.id = event.id)
    WHEN 2 THEN -(SELECT coalesce((
        SELECT coalesce(r.cost_nanos, 0) FROM cost_revision r
        WHERE r.charge_id = charge.id AND r.sequence < event.sequence ORDER BY revision DESC LIMIT 1
      ), cost_nanos)
      FROM correction JOIN charge ON charge.id = charge_id WHERE correction.id = event.id)
    WHEN 4 THEN (SELECT coalesce(r.cost_nanos, 0) - coalesce((
        SELECT coalesce(before.cost_nanos, 0) FROM cost_revision before
        WHERE before.charge_id = r.charge_id AND before.revision = r.revision - 1
      ), charge.cost_nanos, 0)
      FROM cost_revision r JOIN charge ON charge.id = charge_id WHERE r.id = event.id)
  END AS delta
) AS effect ON true
ORDER BY sequence`;

interface EventRow {
  readonly sequence: string;
  readonly kind: number;
  readonly delta: string | null;
}

async function expectJournalToAgree(): Promise<void> {
  const { pool } = book.store.owner;
  const { rows: events } = await pool.query<EventRow>(EVENTS);
  expect(events.map(({ sequence }) => Number(sequence))).toEqual(events.map((_, index) => index + 1));
  const total = events.reduce((sum, { delta }) => sum + BigInt(delta ?? 0), 0n);
  let listed = 0n;
  for (const { costNanos } of (await book.charges()).values()) listed += costNanos ?? 0n;
  expect(total).toBe(listed);
  const { rows: late } = await pool.query(
    `SELECT r.charge_id FROM cost_revision r JOIN correction c ON c.charge_id = r.charge_id
     WHERE r.sequence > c.sequence`,
  );
  expect(late).toEqual([]);
  const { rows: unnumbered } = await pool.query(
    `WITH event AS (
       SELECT last_sequence - cardinality(event_ids) + place AS sequence, kind, id
       FROM journal CROSS JOIN LATERAL unnest(event_ids) WITH ORDINALITY AS event (id, place)
     )
     SELECT r.sequence FROM cost_revision r LEFT JOIN event ON event.id = r.id
     WHERE (event.kind, event.sequence) IS DISTINCT FROM (4::smallint, r.sequence)`,
  );
  expect(unnumbered).toEqual([]);
}

test('with new charges, voids, prices and another reprice at the same time, events and lists agree', async () => {
  const old = await book.record('old', Array<object>(700).fill({}));
  const writer = book.store.anotherWriter({ groupSizeMax: 20 });
  let finished = false;
  const work = async (step: (round: number) => Promise<unknown>) => {
    for (let round = 0; !finished; round++) await step(round);
  };
  const beside = Promise.all([
    work((round) =>
      writer.record(
        TENANT,
        Array.from({ length: 10 }, (_, n) =>
          chargeRequest(`new-${round}-${n}`, { usageTimeMicros: START + BigInt(round) * 1_000_000n }),
        ),
      ),
    ),
    work((round) => book.void(old.slice(round * 3, round * 3 + 3).map(({ id }) => id))),
  ]);
  const other = book.newRepricer();
  for (let factor = 1; factor <= 3; factor++) {
    await book.addPrice({ rates: ratesOf(factor) });
    await Promise.all([
      book.repriceAll({ includePriced: true, runId: `a-${factor}` }),
      book.repriceAll({ includePriced: true, runId: `b-${factor}` }, other),
    ]);
  }
  finished = true;
  await beside;
  await expectJournalToAgree();
  for (const { costNanos } of (await book.charges()).values()) expect(costNanos).toBe(3n * 374_000n);
});

test('a reprice waits for a void in progress, and then leaves the charge alone', async () => {
  const [charge] = await book.record('a', [{}, {}]);
  await book.addPrice({ rates: ratesOf(1) });
  const waiting = (count: number) => async () => {
    const { rows } = await book.store.owner.pool.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return rows.length === count;
  };
  let page: Promise<unknown> | undefined;
  let voided: Promise<unknown> | undefined;
  const lock = async ({ client }: { client: ClientBase }) => {
    await lockTenant(client, TENANT);
    voided = book.void([charge?.id ?? '']);
    await waitFor('the void to wait for the lock', waiting(1));
    page = book.reprice();
    await waitFor('the reprice to wait after it', waiting(2));
  };
  await inTransaction(book.store.database, TENANT, lock, () => undefined);
  await voided;
  expect(await page).toMatchObject({ totals: { matchedCharges: 1, changedCharges: 1 } });
  await expectJournalToAgree();
});

test('lost connections delay a reprice, and every charge gets its cost once', async () => {
  await book.record('a', Array<object>(3_000).fill({}));
  await book.addPrice({ rates: ratesOf(1) });
  let finished = false;
  const killing = (async () => {
    let killed = 0;
    // The pauses between more attempts would be longer than a write is tried again.
    while (!finished && killed < 5) {
      const { rowCount } = await book.store.owner.pool.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%cost_revision%'`,
      );
      killed += rowCount ?? 0;
    }
    return killed;
  })();
  await book.repriceAll();
  finished = true;
  expect(await killing).toBeGreaterThan(0);
  const charges = [...(await book.charges()).values()];
  expect(charges).toHaveLength(3_000);
  for (const { costNanos, status } of charges) {
    expect([costNanos, status?.revision]).toEqual([374_000n, 1]);
  }
  await expectJournalToAgree();
});
