import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import type { RecordResult } from '../../src/charges/charge.ts';
import { findByKey, findByKeys } from '../../src/charges/store/find-by-keys.ts';
import { InsertCharges } from '../../src/charges/store/insert-charges.ts';
import { newCharge } from '../../src/charges/store/charge-row.ts';
import { requestKey } from '../../src/charges/store/request-key.ts';
import { forTenant } from '../../src/database/driver.ts';
import { explain, type PlanNode, readsOf } from '../support/explain.ts';
import { chargeOfEvent, chargeRequest, openTestStore, type TestStore } from '../support/store.ts';

const TENANT = 'default';
const NO_CHARGE = '00000000-0000-7000-8000-000000000000';
/** Charges of the groups that are written first, one group after another. */
const SIZES = [1, 7, 1, 1, 20, 3, 8];
const LAST = SIZES.reduce((sum, size) => sum + size);

let store: TestStore;
/** In the order in which they were recorded. */
const ids: string[] = [];

beforeAll(async () => {
  store = await openTestStore();
  for (const [group, size] of SIZES.entries()) {
    const requests = Array.from({ length: size }, (_, i) => chargeRequest(`${group}-${size - i}`));
    ids.push(...chargeIds(await store.writer.record(TENANT, requests)));
  }
});
afterAll(() => store.close());

function chargeIds(results: readonly RecordResult[]): string[] {
  return results.map((result) => {
    if ('charge' in result) return result.charge.id;
    return 'chargeId' in result ? result.chargeId : result.outcome;
  });
}

async function sizesOfGroups(): Promise<number[]> {
  const { rows } = await store.owner.pool.query<{ size: number }>(
    'SELECT cardinality(event_ids) AS size FROM journal ORDER BY last_sequence',
  );
  return rows.map(({ size }) => size);
}

describe('a page of the journal', () => {
  test('numbers the charges of groups of every size in the order of their arrival', async () => {
    expect(await sizesOfGroups()).toEqual(SIZES);
    const entries = await store.journal.read(TENANT, 0n, 1000);
    expect(entries.map(({ sequence }) => Number(sequence))).toEqual(ids.map((_, i) => i + 1));
    expect(entries.map((entry) => chargeOfEvent(entry).id)).toEqual(ids);
  });

  test('starts and ends wherever it is asked to, also in the middle of a group', async () => {
    for (let after = 0; after <= LAST; after++) {
      for (const limit of [1, 2, 3, 7, 8, 20, LAST]) {
        const entries = await store.journal.read(TENANT, BigInt(after), limit);
        const found = entries.map((entry) => [Number(entry.sequence), chargeOfEvent(entry).id]);
        const expected = ids.map((id, i) => [i + 1, id]).slice(after, after + limit);
        expect({ after, limit, found }).toEqual({ after, limit, found: expected });
      }
    }
  });

  test('has the numbers that the journal gives, even if ids do not ascend in a group', async () => {
    const { pool } = store.owner;
    await pool.query(`INSERT INTO journal_head VALUES ('descending', 0)`);
    const requests = ['a', 'b', 'c', 'd', 'e'].map((id) => chargeRequest(id));
    const written = chargeIds(await store.writer.record('descending', requests));
    const order = [3, 0, 4, 2, 1].map((i) => written[i] ?? '');
    await pool.query('ALTER TABLE journal DISABLE TRIGGER append_only');
    await pool.query(`UPDATE journal SET event_ids = $1::uuid[] WHERE tenant = 'descending'`, [order]);
    await pool.query('ALTER TABLE journal ENABLE TRIGGER append_only');
    for (let after = 0; after < order.length; after++) {
      const entries = await store.journal.read('descending', BigInt(after), 3);
      expect(entries.map((entry) => chargeOfEvent(entry).id)).toEqual(order.slice(after, after + 3));
    }
  });

  test('is the same for a reader that follows while groups of every size are written', async () => {
    const writers = [1, 3, 50].map((groupSizeMax) => store.anotherWriter({ groupSizeMax }));
    const total = 600;
    let done = false;
    const writing = Promise.all(
      Array.from({ length: total / 4 }, (_, i) =>
        (writers[i % 3] ?? store.writer).record(
          TENANT,
          ['a', 'b', 'c', 'd'].map((id) => chargeRequest(`follow-${i}-${id}`)),
        ),
      ),
    ).finally(() => (done = true));
    const seen: string[] = [];
    for (let after = BigInt(LAST); ;) {
      const finished = done;
      const entries = await store.journal.read(TENANT, after, 33);
      for (const entry of entries) {
        const [sequence, charge] = [entry.sequence, chargeOfEvent(entry)];
        expect(sequence).toBe(++after);
        seen.push(charge.id);
      }
      if (finished && entries.length === 0) break;
    }
    const recorded = (await writing).flatMap((results) => chargeIds(results));
    expect(seen.toSorted()).toEqual(recorded.toSorted());
  });
});

describe('a write that inserts nothing', () => {
  test.each(['expectNew', 'skipExisting'] as const)('leaves no entry behind, %s', async (mode) => {
    const before = await store.journal.lastSequence(TENANT);
    const groups = await sizesOfGroups();
    const existing = newCharge(TENANT, chargeRequest('0-1'));
    const client = await store.writes.pool.connect();
    try {
      const charges = mode === 'skipExisting' ? [existing] : [];
      const outcome = await new InsertCharges(store.writes.orm).commit(client, TENANT, charges, {
        mode,
        priceVersion: 0,
      });
      expect(outcome.lastSequence).toBe(0n);
      expect(outcome.insertedIds?.size ?? 0).toBe(0);
    } finally {
      client.release();
    }
    expect(await store.journal.lastSequence(TENANT)).toBe(before);
    expect(await sizesOfGroups()).toEqual(groups);
  });

  test('says which charges of a group were new', async () => {
    const charges = ['0-1', 'new-1', '1-1', 'new-2'].map((id) => newCharge(TENANT, chargeRequest(id)));
    const client = await store.writes.pool.connect();
    try {
      const before = await store.journal.lastSequence(TENANT);
      const outcome = await new InsertCharges(store.writes.orm).commit(client, TENANT, charges, {
        mode: 'skipExisting',
        priceVersion: 0,
      });
      expect(outcome.lastSequence).toBe(before + 2n);
      const entries = await store.journal.read(TENANT, before, 10);
      expect(entries.map((entry) => chargeOfEvent(entry).id)).toEqual([...(outcome.insertedIds ?? [])]);
      expect(entries).toHaveLength(2);
    } finally {
      client.release();
    }
  });
});

/** The same of the journal whose pages are explained. */
const PLANNED_SIZES = [1, 100, 1000, 1, 100, 1000];

describe('the plan of a page', () => {
  beforeAll(async () => {
    const { pool } = store.owner;
    await pool.query(`INSERT INTO journal_head VALUES ('planned', 0)`);
    // What PostgreSQL knows of the tables is out of date after this: they had a page or two.
    await pool.query('ANALYZE');
    for (const [group, size] of PLANNED_SIZES.entries()) {
      const requests = Array.from({ length: size }, (_, i) => chargeRequest(`${group}/${i}`));
      await store.writer.record('planned', requests);
    }
  });

  async function explainPage(after: number, limit: number): Promise<PlanNode[]> {
    const { pool } = store.database;
    const statements = await readsOf(pool, () => store.journal.read('planned', BigInt(after), limit));
    expect(statements).toHaveLength(2);
    const plans = await Promise.all(statements.map((statement) => explain(pool, 'planned', statement)));
    return plans.flat();
  }

  test.each([
    ['the middle of a group', 50, 10, 1],
    ['one group to the middle of the next', 100, 10, 2],
    ['the middle of a group to the middle of the next', 90, 20, 2],
    ['groups of every size', 500, 800, 4],
    ['the last group', 2190, 1000, 1],
  ])('reads the groups that it touches and their charges alone: %s', async (_, after, limit, groups) => {
    const nodes = await explainPage(after, limit);
    const rowsOf = (relation: string): number[] =>
      nodes.filter((node) => node.relation === relation).map((node) => node.rows);
    // The other scan of the journal looks for the page's last group, and ends at its first row.
    expect(Math.max(...rowsOf('journal'))).toBe(groups);
    expect(rowsOf('charge')).toEqual([Math.min(limit, 2202 - after)]);
  });

  test('scans no table, although the tables were small when they were analyzed', async () => {
    const nodes = await explainPage(500, 100);
    expect(nodes.map(({ type }) => type)).not.toContain('Seq Scan');
    const indexes = nodes.flatMap(({ index }) => index ?? []);
    expect(new Set(indexes)).toEqual(new Set(['journal_pkey', 'charge_pkey']));
  });

  test('of charges by their request ids uses the index of these, for a tenant that is new to PostgreSQL', async () => {
    const { pool, em } = store.database;
    const keys = [0, 1, 2].map((i) => requestKey(`2/${i}`));
    const [statement] = await readsOf(pool, () =>
      findByKeys(forTenant(em, 'planned'), 'planned', 'requestKey', keys),
    );
    const nodes = await explain(pool, 'planned', statement);
    expect(nodes.filter(({ relation }) => relation === 'charge')).toMatchObject([
      { index: 'charge_request_key', rows: 3 },
    ]);
  });

  test.each([
    ['id', 'charge_pkey', NO_CHARGE],
    ['requestKey', 'charge_request_key', requestKey('2/0')],
  ] as const)(
    'of one charge by its %s uses %s, for a tenant that is new to PostgreSQL',
    async (key, index, value) => {
      const { pool, em } = store.database;
      const [statement] = await readsOf(pool, () =>
        findByKey(forTenant(em, 'planned'), 'planned', key, value),
      );
      const nodes = await explain(pool, 'planned', statement);
      expect(nodes.filter(({ relation }) => relation === 'charge')).toMatchObject([{ index }]);
    },
  );
});
