/** A page of a list reads a bounded number of rows of one index, whatever its filter. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { firstIdAt } from '../../../src/charges/charge-id.ts';
import type { ChargeFilter } from '../../../src/charges/charge.ts';
import type { ChargePage, ChargeReader, ListQuery } from '../../../src/charges/ports.ts';
import { explain, type PlanNode, readsOf } from '../../support/explain.ts';
import { chargeRequest, openTestStore, readerOf, type TestStore } from '../../support/store.ts';

const TENANT = 'default';
const GROUPS = 40;
const GROUP_SIZE = 50;
const LIMIT = 10;
const SCAN_ROWS = 300;
const START = 1_700_000_000_000_000n;
const IMPORT_ID = '01a5b8e2-8d6f-7cc3-98c4-dc0c0c07398f';

/** Every member of a filter, in the order in which they choose the index, and the index. */
const MEMBERS: [string, ChargeFilter][] = [
  ['charge_import_id_idx', { importId: IMPORT_ID }],
  ['charge_reference_idx', { reference: 'invoice' }],
  ['charge_session_key_idx', { sessionKey: 'session' }],
  ['charge_user_profile_idx', { userProfile: 'alice' }],
  ['charge_usage_time_idx', { provider: 1 }],
  ['charge_usage_time_idx', { chargeType: 1 }],
  ['charge_usage_time_idx', { model: 'none' }],
  ['charge_usage_time_idx', { labels: new Map([['team', 'none']]) }],
  ['charge_usage_time_idx', { startTimeMicros: START }],
  ['charge_usage_time_idx', { endTimeMicros: START + 3600_000_000n }],
];
const FILTERS: [string, string, ChargeFilter][] = [
  ['no filter', 'charge_usage_time_idx', {}],
  ...MEMBERS.flatMap(([index, first], place) => [
    named(index, first),
    ...MEMBERS.slice(place + 1).map(([, second]) => named(index, { ...first, ...second })),
  ]),
];

let store: TestStore;
let reader: ChargeReader;
beforeAll(async () => {
  store = await openTestStore();
  reader = readerOf(store.reads, store.database, { scanRowsMax: SCAN_ROWS });
  for (let group = 0; group < GROUPS; group++) {
    const requests = Array.from({ length: GROUP_SIZE }, (_, i) => ({
      ...chargeRequest(`${group}/${i}`, {
        // Half of the charges have a group's time, as if a file had only dates.
        usageTimeMicros: START + BigInt(group * 1000 + (i % 2) * i),
        sessionKey: 'session',
        reference: 'invoice',
      }),
      importId: IMPORT_ID,
    }));
    await store.writer.record(TENANT, requests);
  }
});
afterAll(() => store.close());

function named(index: string, filter: ChargeFilter): [string, string, ChargeFilter] {
  return [Object.keys(filter).join(' and '), index, filter];
}

function list(query: Pick<ListQuery, 'filter' | 'order' | 'after'>): Promise<ChargePage> {
  return reader.list(TENANT, { ...query, includeCorrected: false, limit: LIMIT });
}

/** The plans of the statements of the second page, or of the first if there is only one. */
async function plansOf(query: Pick<ListQuery, 'filter' | 'order'>): Promise<PlanNode[][]> {
  const { next: after } = await list({ ...query, after: undefined });
  const statements = await readsOf(store.database.pool, () => list({ ...query, after }));
  const plans: PlanNode[][] = [];
  for (const statement of statements) plans.push(await explain(store.database.pool, TENANT, statement));
  return plans;
}

const rowsIn = (nodes: readonly PlanNode[]) => nodes.reduce((total, { rowsRead }) => total + rowsRead, 0);

describe.each(['without statistics', 'with statistics'])('a page, %s', (statistics) => {
  beforeAll(async () => {
    if (statistics === 'with statistics') await store.owner.pool.query('ANALYZE');
  });

  describe.each(['newest_first', 'oldest_first'] as const)('%s', (order) => {
    test.each(FILTERS)('with %s reads %s', async (_, index, filter) => {
      const plans = await plansOf({ filter, order });
      const ofCharges = plans.map((nodes) => nodes.filter(({ relation }) => relation === 'charge'));
      // Of each scan, its end and then its charges.
      const scans = ofCharges.flat();
      expect(scans).toHaveLength(2 * plans.length);
      expect(new Set(scans.map((scan) => scan.index))).toEqual(new Set([index]));
      // An end is the first row that a scan does not read.
      const ends = ofCharges.map(([end]) => end as PlanNode);
      expect(rowsIn(ends)).toBeLessThanOrEqual(SCAN_ROWS + plans.length);
      expect(rowsIn(scans) - rowsIn(ends)).toBeLessThanOrEqual(SCAN_ROWS);

      for (const nodes of plans) {
        for (const [place, { type }] of nodes.entries()) {
          // To the end of a millisecond; a group is made in one or a few.
          if (type.includes('Sort')) expect(nodes[place + 1]?.rows).toBeLessThanOrEqual(LIMIT + GROUP_SIZE);
        }
      }
    });
  });
});

test.each(['newest_first', 'oldest_first'] as const)(
  'a deep page in a time range begins at its place, %s',
  async (order) => {
    const depth = order === 'newest_first' ? 5n : BigInt(GROUPS) - 5n;
    const after = { usageTimeMicros: START + depth * 1000n, id: firstIdAt(0n) };
    const range = { startTimeMicros: START, endTimeMicros: START + BigInt(GROUPS) * 1000n };
    const blocks: number[] = [];
    for (const filter of [{}, range]) {
      const [statement] = await readsOf(store.database.pool, () => list({ filter, order, after }));
      const [top] = await explain(store.database.pool, TENANT, statement);
      blocks.push(top?.blocks ?? NaN);
    }
    expect(blocks[1]).toBeLessThanOrEqual(Number(blocks[0]));
  },
);
