/** Costs are frozen by the price versions that come before the charge in the journal, whoever writes it. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import type { RecordResult } from '../../../src/charges/charge.ts';
import type { JournalEvent } from '../../../src/charges/charge-event.ts';
import { GroupWriter } from '../../../src/charges/store/group-writer.ts';
import type { Database } from '../../../src/database/orm.ts';
import { PriceBooks } from '../../../src/prices/store/price-books.ts';
import { PriceWriter } from '../../../src/prices/store/price-writer.ts';
import {
  chargeOfEvent,
  chargeRequest,
  openTestDatabase,
  openTestStore,
  PRICE_CALL,
  type TestStore,
} from '../../support/store.ts';
import { waitFor } from '../../support/wait-for.ts';

let store: TestStore;
beforeAll(async () => {
  store = await openTestStore();
});
afterAll(() => store.close());

const TENANT = 'default';
const KEY = { provider: 1, otherProvider: '', chargeType: 1, modelMatch: 1, serviceTier: 1 };

/** Adds a version for gpt-4o in one transaction; resolves to its number. */
async function addPrice(inputRate: bigint): Promise<number> {
  const { rows } = await store.owner.pool.query<{ version: number }>(
    `WITH head AS (
       UPDATE journal_head SET price_version = price_version + 1 WHERE tenant = $1 RETURNING price_version
     )
     INSERT INTO price (tenant, version, request_id, effective_time, create_time, provider, charge_type, model,
       model_match, service_tier, basis, currency_code, rates)
     SELECT $1, price_version, 'p-' || price_version, '0001-01-01Z', now(), 1, 1, 'gpt-4o', 1, 1, 1, 'USD',
       jsonb_build_object('rates', jsonb_build_object('1', $2::text, '2', '0'), 'tiers', '[]'::jsonb)
     FROM head RETURNING version`,
    [TENANT, String(inputRate)],
  );
  return rows[0]?.version ?? NaN;
}

/** Every event so far, in order. */
async function allEvents(): Promise<JournalEvent[]> {
  const last = await store.journal.lastSequence(TENANT);
  return store.journal.read(TENANT, 0n, Number(last));
}

function chargeOf(result: RecordResult | undefined) {
  if (result === undefined || !('charge' in result)) throw new Error('no charge');
  return result.charge;
}

test('a charge before every price is unpriced, and a later one has the cost of the version in force', async () => {
  const [before] = await store.writer.record(TENANT, [chargeRequest('before')]);
  expect(chargeOf(before)).toMatchObject({ costNanos: undefined, priceVersion: 0, unpricedReason: 1 });
  expect(await addPrice(1_000_000_000n)).toBe(1);
  const [after] = await store.writer.record(TENANT, [chargeRequest('after')]);
  const cost = { costNanos: 374_000n, costCurrency: 'USD', priceVersion: 1, unpricedReason: 0 };
  expect(chargeOf(after)).toMatchObject(cost);
  expect(await store.reader.findByRequestId(TENANT, 'after')).toEqual(chargeOf(after));
  expect((await store.reader.findByRequestId(TENANT, 'before'))?.costNanos).toBeUndefined();
});

test('a replay after another version is the same charge at the old cost', async () => {
  const [first] = await store.writer.record(TENANT, [chargeRequest('replayed')]);
  await addPrice(2_000_000_000n);
  const [second] = await store.writer.record(TENANT, [chargeRequest('replayed')]);
  expect(second?.outcome).toBe('replayed');
  expect(chargeOf(second)).toEqual(chargeOf(first));
});

test('twelve writers in four processes price each charge by the versions before it in the journal', async () => {
  const versionsBefore = await addPrice(1_000_000_000n);
  const databases: Database[] = [];
  for (let process = 0; process < 4; process++) {
    databases.push(await openTestDatabase(store.url, { poolSizeMax: 3 }));
  }
  try {
    const writers = databases.map(
      (database) =>
        new GroupWriter(
          database,
          new PriceBooks(database.em, () => undefined),
          {
            writers: 3,
            groupSizeMax: 20,
            queueSizeMax: 10_000,
            retryForMs: 5_000,
            retryAfterMs: 100,
            unknownUserProfilesOf: () => 0,
          },
          { committed: () => undefined, recorded: () => undefined, attempted: () => undefined },
        ),
    );
    const sequenceBefore = await store.journal.lastSequence(TENANT);
    let recorded = 0;
    const recording = Promise.all(
      Array.from({ length: 2_000 }, async (_, n) => {
        await writers[n % 4]?.record(TENANT, [chargeRequest(`split-${n}`)]);
        recorded++;
      }),
    );
    for (const [index, rate] of [2n, 3n, 4n, 5n, 6n].entries()) {
      await waitFor('charges between two versions', () => recorded >= (index + 1) * 300, {
        timeoutMs: 30_000,
      });
      await addPrice(rate * 1_000_000_000n);
    }
    await recording;

    const events = (await allEvents()).filter(({ sequence }) => sequence > sequenceBefore);
    expect(events).toHaveLength(2_000);
    let version = versionsBefore;
    for (const charge of events.map(chargeOfEvent)) {
      // Never back: what comes later in the journal has the same version or a later one.
      expect(charge.priceVersion).toBeGreaterThanOrEqual(version);
      version = charge.priceVersion;
      expect(charge.costNanos).toBe(374_000n * BigInt(version - versionsBefore + 1));
    }
    expect(new Set(events.map((event) => chargeOfEvent(event).priceVersion)).size).toBeGreaterThan(2);
  } finally {
    for (const database of databases) await database.close();
  }
});

test('a large group is written while one price version is added after the other', async () => {
  const prices = new PriceBooks(store.database.em, () => undefined);
  const adder = new PriceWriter(store.database, prices, { retryForMs: 5_000, retryAfterMs: 100 });
  const before = (await prices.get(TENANT)).version;
  const key = { ...KEY, model: 'added' };
  let recorded: RecordResult[] | undefined;
  const adding = async (name: string): Promise<void> => {
    for (let n = 0; recorded === undefined; n++) {
      const basis = { kind: 'alias', model: `${name}-${n}` } as const;
      const content = {
        key: { ...key, region: name },
        basis,
        effectiveTimeMicros: undefined,
        source: '',
        note: '',
      };
      await adder.add(TENANT, [{ requestId: `${name}-${n}`, allowPast: false, content }], PRICE_CALL);
    }
  };
  const group = Array.from({ length: 1_000 }, (_, n) => chargeRequest(`large-${n}`, { model: 'added' }));
  const recording = store.writer.record(TENANT, group).finally(() => (recorded ??= []));
  await Promise.all([adding('a'), adding('b'), recording]);
  expect(await recording).toHaveLength(1_000);
  expect((await prices.reload(TENANT)).version).toBeGreaterThan(before + 3);
});
