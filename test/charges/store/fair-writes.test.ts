/** A tenant that floods the write paths, beside others. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import type { RecordResult } from '../../../src/charges/charge.ts';
import type { ChargeEvent } from '../../../src/charges/charge-event.ts';
import { waitFor } from '../../support/wait-for.ts';
import { ADMINISTRATOR, chargeRequest, openTestStore, type TestStore } from '../../support/store.ts';

let store: TestStore;
beforeAll(async () => {
  store = await openTestStore();
});
afterAll(() => store.close());

async function addTenants(...tenants: readonly string[]): Promise<void> {
  const { pool } = store.owner;
  await pool.query('INSERT INTO journal_head (tenant, last_sequence) SELECT unnest($1::text[]), 0', [
    tenants,
  ]);
  await pool.query('INSERT INTO tenant_lock SELECT unnest($1::text[])', [tenants]);
}

const requests = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, index) => chargeRequest(`${prefix}-${index}`));

/** Notes the tenant of each group, in the order of the commits. */
function turnsOf(turns: string[]): (events: readonly ChargeEvent[]) => void {
  return ([event]) => void turns.push(event?.tenant ?? '');
}

const idsOf = (results: readonly RecordResult[]): string[] =>
  results.map((result) => {
    if ('charge' in result) return result.charge.id;
    return 'chargeId' in result ? result.chargeId : result.outcome;
  });

describe('a tenant that records thousands of batches', () => {
  test('delays the single calls of another one by a group each', async () => {
    await addTenants('flood', 'quiet');
    const turns: string[] = [];
    const writer = store.anotherWriter(
      { writers: 1, groupSizeMax: 100, queueSizeMax: 100_000 },
      turnsOf(turns),
    );
    let waiting = 2_000;
    const flood = Promise.all(
      Array.from({ length: waiting }, async (_, index) => {
        await writer.record('flood', requests(`batch-${index}`, 10));
        waiting--;
      }),
    );
    for (let index = 0; index < 20; index++) {
      await writer.record('quiet', [chargeRequest(`single-${index}`)]);
      expect(turns.filter((tenant) => tenant === 'flood').length).toBeLessThanOrEqual(2 * index + 2);
    }
    expect(waiting).toBeGreaterThan(1_500);
    await flood;
    expect(turns).toHaveLength(220);
  });

  test('leaves a writer to the others while its own groups wait for a lock', async () => {
    await addTenants('locked', 'free');
    const writer = store.anotherWriter({ writers: 2, groupSizeMax: 10 });
    const client = await store.owner.pool.connect();
    try {
      await client.query(`BEGIN; SELECT FROM journal_head WHERE tenant = 'locked' FOR UPDATE`);
      const locked = Array.from({ length: 5 }, (_, index) =>
        writer.record('locked', requests(`locked-${index}`, 10)),
      );
      await waitFor('two groups', () => writer.queuedCharges === 30);
      const [result] = await writer.record('free', [chargeRequest('meanwhile')]);
      expect(result?.outcome).toBe('created');
      expect(writer.queuedCharges).toBe(30);
      await client.query('COMMIT');
      expect((await Promise.all(locked)).flat()).toHaveLength(50);
    } finally {
      client.release();
    }
  });

  test('alone uses every writer, and not the connection of the others', async () => {
    await addTenants('alone');
    const writer = store.anotherWriter({ writers: 2, groupSizeMax: 10 });
    const client = await store.owner.pool.connect();
    try {
      await client.query(`BEGIN; SELECT FROM journal_head WHERE tenant = 'alone' FOR UPDATE`);
      const all = Array.from({ length: 5 }, (_, index) =>
        writer.record('alone', requests(`alone-${index}`, 10)),
      );
      await waitFor('two groups', () => writer.queuedCharges === 30);
      await client.query('COMMIT');
      await Promise.all(all);
    } finally {
      client.release();
    }
  });

  test('fills the queue for itself alone', async () => {
    await addTenants('full', 'other');
    const writer = store.anotherWriter({ writers: 1, groupSizeMax: 10, queueSizeMax: 100 });
    const attempts = Array.from({ length: 20 }, (_, index) =>
      writer.record('full', requests(`full-${index}`, 10)),
    );
    const other = writer.record('other', requests('other', 30));
    const settled = await Promise.allSettled(attempts);
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
    expect(settled.at(-1)).toMatchObject({
      reason: { failure: { reason: 'OVERLOADED', metadata: { limit: 'write_queue' } } },
    });
    expect(await other).toHaveLength(30);
  });
});

test('a tenant that voids a thousand charges delays the void of another one by a group', async () => {
  await addTenants('voids', 'void');
  const ids = idsOf(await store.writer.record('voids', requests('to-void', 1_000)));
  const [id = ''] = idsOf(await store.writer.record('void', [chargeRequest('one')]));
  const turns: string[] = [];
  const corrector = store.anotherCorrector(turnsOf(turns));
  const voidOf = (tenant: string, chargeId: string) => {
    const request = {
      kind: 'void' as const,
      key: { id: chargeId },
      requestId: `void ${chargeId}`,
      reason: 'r',
      allowClosedPeriod: false,
    };
    return corrector.voidCharge(tenant, request, ADMINISTRATOR);
  };
  await Promise.all([...ids.map((each) => voidOf('voids', each)), voidOf('void', id)]);
  expect(turns).toEqual(['voids', 'void', ...Array.from({ length: 9 }, () => 'voids')]);
});

test('thousands of tenants that record once each are all served, each in a group of its own', async () => {
  const tenants = Array.from({ length: 2_000 }, (_, index) => `tenant-${index}`);
  await addTenants(...tenants);
  const turns: string[] = [];
  const writer = store.anotherWriter({ writers: 4 }, turnsOf(turns));
  const results = await Promise.all(tenants.map((tenant) => writer.record(tenant, [chargeRequest('once')])));
  expect(results.every(([result]) => result?.outcome === 'created')).toBe(true);
  expect(new Set(turns).size).toBe(2_000);
  expect(turns).toHaveLength(2_000);
  // They are all told of what they wait for, by polls that ask for no other tenant.
  const waiting = tenants.slice(0, 1_000).map((tenant) => store.journal.waitForMore(tenant, 1n, NEVER));
  await Promise.all(tenants.slice(0, 1_000).map((tenant) => writer.record(tenant, [chargeRequest('twice')])));
  await Promise.all(waiting);
});

const NEVER = new AbortController().signal;
