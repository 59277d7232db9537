import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';

import type { RecordResult } from '../../../src/charges/charge.ts';
import type { ChargeEvent, JournalEvent } from '../../../src/charges/charge-event.ts';
import { setTenant } from '../../../src/database/tenant.ts';
import { type ServiceError } from '../../../src/errors/failure.ts';
import { acquireLease, advanceCursors } from '../../../src/relay/store/relay-state.ts';
import { InsertCharges } from '../../../src/charges/store/insert-charges.ts';
import { newCharge } from '../../../src/charges/store/charge-row.ts';
import { interceptQueries } from '../../support/intercept.ts';
import {
  chargeOfEvent,
  chargeRequest,
  openTestDatabase,
  openTestStore,
  type TestStore,
} from '../../support/store.ts';

let store: TestStore;
beforeAll(async () => {
  store = await openTestStore();
});
afterAll(() => store.close());

const TENANT = 'default';

async function count(sql: string, values: unknown[] = []): Promise<number> {
  const { rows } = await store.owner.pool.query<{ n: string }>(sql, values);
  return Number(rows[0]?.n);
}

function chargeIds(results: readonly RecordResult[]): string[] {
  return results.map((result) => {
    if ('charge' in result) return result.charge.id;
    return 'chargeId' in result ? result.chargeId : result.outcome;
  });
}

/** Numbers 1 … n without a gap, one for each charge, is what every consumer relies on. */
async function expectJournalToBeComplete(): Promise<void> {
  const { rows } = await store.owner.pool.query<Record<string, string>>(`
    WITH entry AS (
      SELECT last_sequence - cardinality(event_ids) + place AS sequence, id AS charge_id
      FROM journal, unnest(event_ids) WITH ORDINALITY AS numbered (id, place)
    )
    SELECT (SELECT last_sequence FROM journal_head WHERE tenant = 'default') AS last,
           (SELECT count(DISTINCT sequence) FROM entry) AS entries,
           (SELECT coalesce(min(sequence), 1) FROM entry) AS first,
           (SELECT coalesce(max(sequence), 0) FROM entry) AS highest,
           (SELECT count(*) FROM charge) AS charges,
           (SELECT count(DISTINCT charge_id) FROM entry JOIN charge ON id = charge_id) AS announced`);
  const { last, entries, first, highest, charges, announced } = rows[0] ?? {};
  expect({ first, entries, highest, announced }).toEqual({
    first: '1',
    entries: charges,
    highest: last,
    announced: charges,
  });
  expect(entries).toBe(last);
}

describe('recording charges', () => {
  test('stores every field exactly and reads it back', async () => {
    const request = chargeRequest('every-field', {
      userProfile: 'Zoë 👩🏽‍🚀 "quoted" \\ back',
      sessionKey: 's'.repeat(255),
      provider: 100,
      otherProvider: 'acme',
      chargeType: 3,
      promptTokens: 9_000_000_000_000_000_001n,
      completionTokens: 7n,
      totalTokens: 9_223_372_036_854_775_807n,
      tokenDetails: {
        cacheReadTokens: 1n,
        cacheWrite5mTokens: 2n,
        cacheWrite1hTokens: 3n,
        reasoningTokens: 4n,
        audioInputTokens: 5n,
        audioOutputTokens: 6n,
        imageInputTokens: 6n,
        imageOutputTokens: 6n,
      },
      model: '',
      reference: 'inv-1',
      labels: new Map([
        ['__proto__', 'kept'],
        ['team', 'a"b'],
      ]),
      usageTimeMicros: 1_700_158_546_680_590n,
    });
    const [result] = await store.writer.record(TENANT, [request]);
    if (result?.outcome !== 'created') throw new Error(`unexpected ${String(result?.outcome)}`);
    const read = await store.reader.findById(TENANT, result.charge.id);
    expect(read).toEqual(result.charge);
    expect(read).toMatchObject({ ...request.content });
  });

  test('keeps microseconds before 1970 and at the first moment of year 1', async () => {
    for (const micros of [-1n, -62_135_596_800_000_000n, 0n]) {
      const request = chargeRequest(`early-${micros}`, { usageTimeMicros: micros });
      await store.writer.record(TENANT, [request]);
      const read = await store.reader.findByRequestId(TENANT, request.requestId);
      expect(read?.usageTimeMicros).toBe(micros);
    }
  });

  test('returns the original charge for the same request id and content', async () => {
    const request = chargeRequest('replayed', {
      labels: new Map([
        ['a', '1'],
        ['b', '2'],
      ]),
    });
    const [first] = await store.writer.record(TENANT, [request]);
    const reordered = chargeRequest('replayed', {
      labels: new Map([
        ['b', '2'],
        ['a', '1'],
      ]),
    });
    const [second] = await store.writer.record(TENANT, [reordered]);
    expect(first?.outcome).toBe('created');
    expect(second).toEqual({ ...first, outcome: 'replayed' });
  });

  test('names the first differing field when a request id comes with other content', async () => {
    const [created] = await store.writer.record(TENANT, [chargeRequest('conflict')]);
    const [conflict] = await store.writer.record(TENANT, [
      chargeRequest('conflict', { model: 'other', reference: 'also other' }),
    ]);
    expect(conflict).toEqual({
      outcome: 'conflict',
      requestId: 'conflict',
      field: 'model',
      chargeId: chargeIds([created as RecordResult])[0],
      userProfile: 'alice',
    });
    expect(await count(`SELECT count(*) AS n FROM charge WHERE request_id = 'conflict'`)).toBe(1);
  });

  test('treats repeats inside one submission like calls one after another', async () => {
    const results = await store.writer.record(TENANT, [
      chargeRequest('inside'),
      chargeRequest('inside'),
      chargeRequest('inside', { userProfile: 'bob' }),
      chargeRequest('inside-other'),
    ]);
    expect(results.map(({ outcome }) => outcome)).toEqual(['created', 'replayed', 'conflict', 'created']);
    expect(new Set(chargeIds(results.slice(0, 3))).size).toBe(1);
  });

  test('makes one charge for 100 callers that race with one request id, over two writers', async () => {
    const writers = [store.writer, store.anotherWriter({ writers: 4, groupSizeMax: 3 })];
    const results = await Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        const writer = writers[i % 2] ?? store.writer;
        return (await writer.record(TENANT, [chargeRequest('race')]))[0];
      }),
    );
    const outcomes = results.map((result) => result?.outcome);
    expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'replayed')).toHaveLength(99);
    expect(new Set(chargeIds(results as RecordResult[])).size).toBe(1);
  });

  test('numbers entries without a gap while writers overlap in opposite orders', async () => {
    const writers = [1, 7, 50].map((groupSizeMax) => store.anotherWriter({ groupSizeMax }));
    const ids = Array.from({ length: 300 }, (_, i) => `overlap-${i}`);
    await Promise.all(
      writers.flatMap((writer, w) => {
        const order = w % 2 === 0 ? ids : [...ids].reverse();
        return Array.from({ length: 30 }, (_, i) =>
          writer.record(
            TENANT,
            order.slice(i * 10, i * 10 + 10).map((id) => chargeRequest(id)),
          ),
        );
      }),
    );
    expect(await count(`SELECT count(*) AS n FROM charge WHERE request_id LIKE 'overlap-%'`)).toBe(300);
    await expectJournalToBeComplete();
  });

  test('numbers the requests of a submission in their order, whatever their ids', async () => {
    const ids = ['z', 'a', 'm', 'b'].map((id) => `order-${id}`);
    const results = await store.writer.record(
      TENANT,
      ids.map((id) => chargeRequest(id)),
    );
    const last = await store.journal.lastSequence(TENANT);
    const entries = await store.journal.read(TENANT, last - 4n, 4);
    expect(entries.map((entry) => chargeOfEvent(entry).id)).toEqual(chargeIds(results));
  });
});

describe('events that are reported', () => {
  test('have the numbers of the journal, also if the clock was set back an hour within their group', async () => {
    const told: ChargeEvent[] = [];
    const writer = store.anotherWriter({ writers: 1 }, (entries) => told.push(...entries));
    const now = Date.now();
    const clock = jest.spyOn(Date, 'now');
    try {
      const results = [now + 3_600_000, now, now + 1].map((ms, index) => {
        clock.mockReturnValue(ms);
        return writer.record(TENANT, [chargeRequest(`clock-${index}`)]);
      });
      await Promise.all(results);
    } finally {
      clock.mockRestore();
    }
    const [first] = told;
    if (first === undefined) throw new Error('nobody was told');
    const stored = await store.journal.read(TENANT, first.sequence - 1n, 3);
    const numbers = (entries: readonly JournalEvent[]) =>
      entries.map((entry) => [entry.sequence, chargeOfEvent(entry).id]);
    expect(numbers(told)).toEqual(numbers(stored));
    expect(told).toHaveLength(3);
  });
});

describe('a failing write', () => {
  test('answers created, once, when the connection is lost after COMMIT', async () => {
    const writer = store.anotherWriter({ writers: 1 });
    let broken = false;
    // The statement commits, its reply never arrives: exactly what a cut connection does at COMMIT.
    const restore = interceptQueries(store.writes.pool, async (_, send) => {
      const result = await send();
      if (broken) return result;
      broken = true;
      throw new Error('Connection terminated unexpectedly');
    });
    try {
      const [result] = await writer.record(TENANT, [chargeRequest('lost-reply')]);
      expect(broken).toBe(true);
      expect(result?.outcome).toBe('created');
      expect(await count(`SELECT count(*) AS n FROM charge WHERE request_id = 'lost-reply'`)).toBe(1);
    } finally {
      restore();
    }
    await expectJournalToBeComplete();
  });

  test('is given up on with its own time, not with that of an older one in its group', async () => {
    let away = true;
    let writes = 0;
    const restore = interceptQueries(store.writes.pool, async (_, send) => {
      if (!away) return send();
      // The first statement with both charges is committed, and its reply is lost.
      if (writer.queuedCharges === 0 && young !== undefined && writes++ === 0) await send();
      throw new Error('Connection terminated unexpectedly');
    });
    // Much longer than the pauses between attempts, of a second at most: the two are given up at different ones.
    const writer = store.anotherWriter({ writers: 1, groupSizeMax: 2, retryForMs: 3_000 });
    let young: Promise<RecordResult[]> | undefined;
    try {
      const first = [1, 2].map((i) => writer.record(TENANT, [chargeRequest(`first-${i}`)]));
      const old = writer.record(TENANT, [chargeRequest('old')]);
      first[1]?.catch(() => (young = writer.record(TENANT, [chargeRequest('young')])));
      for (const recording of [...first, old]) {
        await expect(recording).rejects.toMatchObject({ failure: { reason: 'DATABASE_UNAVAILABLE' } });
      }
      away = false;
      expect(writes).toBeGreaterThan(0);
      expect(await young).toMatchObject([{ outcome: 'created' }]);
      // Both were in the group of the lost reply, and nobody writes them twice.
      const again = await writer.record(TENANT, [chargeRequest('old'), chargeRequest('young')]);
      expect(again.map(({ outcome }) => outcome)).toEqual(['replayed', 'replayed']);
    } finally {
      away = false;
      restore();
    }
    await expectJournalToBeComplete();
  });

  test('is tried again when PostgreSQL terminates the backend', async () => {
    const writer = store.anotherWriter();
    const recording = Promise.all(
      Array.from({ length: 200 }, (_, i) => writer.record(TENANT, [chargeRequest(`terminated-${i}`)])),
    );
    await store.owner.pool.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    const results = (await recording).flat();
    expect(results.every(({ outcome }) => outcome === 'created')).toBe(true);
    await expectJournalToBeComplete();
  });

  test('writes nothing if the journal refuses', async () => {
    const before = await count('SELECT count(*) AS n FROM charge');
    await store.owner.pool.query("INSERT INTO tenant_lock VALUES ('no-such-journal')");
    await expect(store.writer.record('no-such-journal', [chargeRequest('no-journal')])).rejects.toMatchObject(
      {
        failure: { reason: 'DATABASE_UNAVAILABLE', message: expect.stringContaining('Nothing was stored') },
        cause: { message: expect.stringContaining('journal') },
      },
    );
    expect(await count('SELECT count(*) AS n FROM charge')).toBe(before);
  });

  test('is refused at once when the queue is full, and the queue is bounded', async () => {
    const writer = store.anotherWriter({ writers: 1, groupSizeMax: 1, queueSizeMax: 5 });
    const attempts = Array.from({ length: 50 }, (_, i) =>
      writer.record(TENANT, [chargeRequest(`full-${i}`)]),
    );
    expect(writer.queuedCharges).toBeLessThanOrEqual(5);
    const settled = await Promise.allSettled(attempts);
    const refused = settled.filter((result) => result.status === 'rejected');
    expect(refused).toHaveLength(45);
    for (const { reason } of refused) {
      expect((reason as ServiceError).failure).toMatchObject({
        reason: 'OVERLOADED',
        metadata: { limit: 'write_queue' },
      });
    }
    expect(await count(`SELECT count(*) AS n FROM charge WHERE request_id LIKE 'full-%'`)).toBe(5);
  });

  test('is not refused by a full queue when its caller has admitted it', async () => {
    const writer = store.anotherWriter({ writers: 1, groupSizeMax: 1, queueSizeMax: 5 });
    const waiting = Array.from({ length: 5 }, (_, i) => writer.record(TENANT, [chargeRequest(`wait-${i}`)]));
    const requests = Array.from({ length: 20 }, (_, i) => chargeRequest(`admitted-${i}`));
    const admitted = writer.record(TENANT, requests, { admitted: true });
    // The admitted items take no other caller's place, and no other caller gets in after them.
    await expect(writer.record(TENANT, [chargeRequest('refused')])).rejects.toMatchObject({
      failure: { reason: 'OVERLOADED', metadata: { limit: 'write_queue' } },
    });
    expect(writer.queuedCharges).toBe(25);
    expect(await admitted).toHaveLength(20);
    await Promise.all(waiting);
  });

  test('is withdrawn when its caller gives up before a writer takes it', async () => {
    const gaveUp = new AbortController();
    const recording = store.writer.record(TENANT, [chargeRequest('withdrawn')], {
      signal: gaveUp.signal,
    });
    gaveUp.abort();
    await expect(recording).rejects.toMatchObject({ failure: { reason: 'CANCELLED' } });
    expect(await count(`SELECT count(*) AS n FROM charge WHERE request_id = 'withdrawn'`)).toBe(0);
  });
});

describe('durability', () => {
  test.each([
    ['off', 'on'],
    ['remote_apply', 'remote_apply'],
    ['local', 'local'],
  ])(
    'is asked for by the write itself: with synchronous_commit = %s it commits with %s',
    async (setting, effective) => {
      const client = await store.writes.pool.connect();
      const current = async (): Promise<unknown> =>
        (await client.query<{ synchronous_commit: string }>('SHOW synchronous_commit')).rows[0]
          ?.synchronous_commit;
      const before = await current();
      try {
        await client.query(`SET synchronous_commit = ${setting}`);
        await client.query(`BEGIN; ${setTenant(TENANT)}`);
        const insert = new InsertCharges(store.writes.orm);
        await insert.run(client, TENANT, [newCharge(TENANT, chargeRequest(`durable-${setting}`))], {
          mode: 'expectNew',
          priceVersion: 0,
        });
        // What the commit will use. Nothing of it may outlive the transaction.
        expect(await current()).toBe(effective);
        await client.query('COMMIT');
        expect(await current()).toBe(setting);
        expect(before).toBe('on');
      } finally {
        await client.query('ROLLBACK');
        await client.query('RESET synchronous_commit');
        client.release();
      }
    },
  );

  test('of other transactions is not touched by the relay, whose own commits do not wait for the disk', async () => {
    const relay = await openTestDatabase(store.url, { poolSizeMax: 1, everyTenant: true });
    const { em, pool } = relay;
    const holder = '00000000-0000-4000-8000-000000000001';
    try {
      const lease = await acquireLease(em, holder, 10_000);
      if (lease === undefined) throw new Error('no lease');
      expect(await advanceCursors(em, lease, new Map([[TENANT, 0n]]))).toBe(true);
      const { rows } = await pool.query('SHOW synchronous_commit');
      expect(rows).toEqual([{ synchronous_commit: 'on' }]);
    } finally {
      await relay.close();
    }
  });
});

describe('the past', () => {
  test.each(['charge', 'journal'])('refuses UPDATE, DELETE and TRUNCATE of %s', async (table) => {
    for (const statement of [
      `UPDATE ${table} SET tenant = tenant`,
      `DELETE FROM ${table}`,
      `TRUNCATE ${table}`,
    ]) {
      await expect(store.owner.pool.query(statement)).rejects.toThrow(/append-only/);
    }
  });
});
