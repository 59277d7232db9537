/** Archived charges: what is removed, what stays, and what callers of every method are told. */

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { Outcome, type WatchChargesResponse } from '../../generated/charge/v1/charge_service.ts';
import { call, createRequest, decodeStatus, errorOf } from '../support/server.ts';
import {
  archive,
  closeLongAgo,
  createBatch,
  follow,
  getCharge,
  getChargeById,
  history,
  recordAll,
} from './support/archive.ts';
import {
  amendCharge,
  type CorrectionServer,
  create,
  listAll,
  OCTOBER,
  openCorrectionServer,
  reprice,
  SEPTEMBER_10,
  voidCharge,
  watch,
} from './support/corrections.ts';

let server: CorrectionServer;
beforeEach(async () => {
  server = await openCorrectionServer();
});
afterEach(() => server.close());

/** Creates charges of September and returns their ids. */
async function createAll(...requestIds: string[]): Promise<string[]> {
  const { results } = await createBatch(server.client, requestIds);
  return results.map(({ charge }) => charge?.id ?? '');
}

async function count(table: string): Promise<number> {
  const { rows } = await server.pool.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`);
  return rows[0]?.n ?? 0;
}

const OPEN = { usageTime: OCTOBER };

describe('an archived charge', () => {
  test('is gone from reads and lists, which say that it is archived', async () => {
    const { client } = server;
    const [id = '', kept = ''] = await createAll('a', 'kept');
    await reprice(server.pool, id, 5n);
    await closeLongAgo(server.pool);
    expect(await archive(client, [id.toUpperCase(), id])).toEqual({
      archived: 1,
      alreadyArchived: 0,
      lastArchivedSequence: 3n,
    });
    const gone = { code: 'NOT_FOUND', reason: 'CHARGE_ARCHIVED', metadata: { charge_id: id } };
    expect(await errorOf(getCharge(client, 'a'))).toMatchObject(gone);
    expect(await errorOf(getChargeById(client, id))).toMatchObject(gone);
    expect(await errorOf(history(client, 'a'))).toMatchObject(gone);
    expect((await listAll(client, {}, true)).map((charge) => charge.id)).toEqual([kept]);
    expect(await errorOf(getCharge(client, 'never'))).toMatchObject({ reason: 'CHARGE_NOT_FOUND' });
    expect(await count('cost_revision')).toBe(0);
    expect(await count('journal')).toBe(2);
  });

  test('is never recorded again: by CreateCharge, in a batch, in a stream, beside charges that are new', async () => {
    const { client } = server;
    const [a = '', b = ''] = await createAll('a', 'b');
    await closeLongAgo(server.pool);
    await archive(client, [a, b]);
    const refused = { code: 'FAILED_PRECONDITION', reason: 'CHARGE_ARCHIVED' };
    expect(await errorOf(create(client, 'a'))).toMatchObject({ ...refused, metadata: { charge_id: a } });
    const { results } = await createBatch(client, ['n1', 'a', 'n2', 'b', 'a', 'n1']);
    expect(results.map(({ outcome }) => outcome)).toEqual([
      Outcome.OUTCOME_CREATED,
      Outcome.OUTCOME_REJECTED,
      Outcome.OUTCOME_CREATED,
      Outcome.OUTCOME_REJECTED,
      Outcome.OUTCOME_REJECTED,
      Outcome.OUTCOME_REPLAYED,
    ]);
    expect(decodeStatus(results[3]?.status)).toMatchObject({ ...refused, metadata: { charge_id: b } });
    const recorded = await recordAll(client, ['b', 'n3', 'a']);
    expect(recorded.map(({ result }) => result?.outcome)).toEqual([
      Outcome.OUTCOME_REJECTED,
      Outcome.OUTCOME_CREATED,
      Outcome.OUTCOME_REJECTED,
    ]);
    expect(await server.rows()).toMatchObject({ charges: 3, sequence: 5 });
  });

  test('keeps its request id from charges with other content, whose first difference is unknown', async () => {
    const { client } = server;
    const [id = ''] = await createAll('a');
    await closeLongAgo(server.pool);
    await archive(client, [id]);
    const error = await errorOf(create(client, 'a', { userProfile: 'bob' }));
    expect(error).toMatchObject({ code: 'ALREADY_EXISTS', reason: 'REQUEST_ID_REUSED' });
    expect(error.metadata).toEqual({ request_id: 'a', charge_id: id });
    expect(await server.rows()).toMatchObject({ charges: 0, sequence: 1 });
  });

  test('cannot be voided or amended, and its request id cannot be that of a replacement', async () => {
    const { client } = server;
    const [id = ''] = await createAll('a', 'other');
    await closeLongAgo(server.pool);
    await archive(client, [id]);
    const refused = { code: 'FAILED_PRECONDITION', reason: 'CHARGE_ARCHIVED', metadata: { charge_id: id } };
    const allow = { allowClosedPeriod: true };
    expect(await errorOf(voidCharge(client, 'a', allow))).toMatchObject(refused);
    const byId = { key: { $case: 'id' as const, value: id }, ...allow };
    expect(await errorOf(voidCharge(client, 'a', byId))).toMatchObject(refused);
    expect(await errorOf(amendCharge(client, 'a', 'new', { userProfile: 'bob' }, allow))).toMatchObject(
      refused,
    );
    expect(await errorOf(amendCharge(client, 'other', 'a', { userProfile: 'bob' }, allow))).toMatchObject(
      refused,
    );
    expect(await server.rows()).toMatchObject({ charges: 1, corrections: 0, sequence: 2 });
  });

  test('counts as archived before if the call is repeated', async () => {
    const { client } = server;
    const ids = await createAll('a', 'b', 'c');
    await closeLongAgo(server.pool);
    await archive(client, ids.slice(0, 2));
    const expected = { archived: 1, alreadyArchived: 2, lastArchivedSequence: 3n };
    expect(await archive(client, ids)).toEqual(expected);
    expect(await archive(client, ids)).toEqual({ ...expected, archived: 0, alreadyArchived: 3 });
  });
});

describe('corrections of archived charges', () => {
  test('stay, so a chain of amendments may be archived in parts, and request ids of voids are not free again', async () => {
    const { client } = server;
    const [a = '', v = ''] = await createAll('a', 'v');
    const amended = await amendCharge(client, 'a', 'b', OPEN);
    const b = amended.charge?.id ?? '';
    await voidCharge(client, 'v');
    await create(client, 'w');
    await closeLongAgo(server.pool);
    await archive(client, [a, v]);
    expect((await getCharge(client, 'b')).charge).toMatchObject({ id: b, amends: a });
    expect((await history(client, 'b')).correction).toBeUndefined();
    // A repeat of what was done is told that the charge is archived. The ids of the requests stay used.
    const archived = { code: 'FAILED_PRECONDITION', reason: 'CHARGE_ARCHIVED' };
    expect(await errorOf(voidCharge(client, 'v'))).toMatchObject({ ...archived, metadata: { charge_id: v } });
    expect(await errorOf(amendCharge(client, 'a', 'b', OPEN))).toMatchObject({
      ...archived,
      metadata: { charge_id: a },
    });
    const reused = { requestId: 'void of v', allowClosedPeriod: true };
    expect(await errorOf(voidCharge(client, 'w', reused))).toMatchObject({ reason: 'REQUEST_ID_REUSED' });
    expect(await server.rows()).toMatchObject({ charges: 2, corrections: 2 });
  });

  test('of which the replacement is archived first: the original still names it', async () => {
    const { client } = server;
    const late = await create(client, 'late', OPEN);
    const { charge } = await amendCharge(client, 'late', 'early', { usageTime: SEPTEMBER_10 });
    await closeLongAgo(server.pool);
    const [early] = await listAll(client, { endTime: OCTOBER });
    expect(early?.id).toBe(charge?.id);
    await archive(client, [charge?.id ?? '']);
    expect((await getCharge(client, 'late')).charge).toMatchObject({
      id: late.charge?.id,
      replacedBy: charge?.id,
    });
  });
});

describe('charges that must not be archived', () => {
  const refusalOf = async (ids: readonly string[], endTime = OCTOBER) => {
    const error = await errorOf(archive(server.client, ids, endTime));
    expect(error).toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'CHARGE_NOT_ARCHIVABLE' });
    return error;
  };
  const UNKNOWN = '01890a5d-ac96-774b-bcce-b302099a8057';

  test('stay, all of them, and one error names every cause', async () => {
    const { client, pool } = server;
    const [good = '', changed = '', repriced = ''] = await createAll('good', 'changed', 'repriced');
    const open = (await create(client, 'open', OPEN)).charge?.id ?? '';
    await closeLongAgo(pool);
    await voidCharge(client, 'changed', { allowClosedPeriod: true });
    await reprice(pool, repriced, 1n);
    const late = (await create(client, 'late')).charge?.id ?? '';
    // Recorded within the 10 minutes before the close, by the time in its id.
    await pool.query('ALTER TABLE period_close DISABLE TRIGGER append_only');
    const closeAt = (minutes: number) =>
      pool.query(`UPDATE period_close SET create_time = now() + $1 * interval '1 minute'`, [minutes]);
    const ids = [good, changed, repriced, open, UNKNOWN];
    expect((await refusalOf(ids)).message).toMatch(
      new RegExp(
        `^1 of the charges do not exist \\(the first: ${UNKNOWN}\\). 1 of the charges were used at ` +
          `2026-10-01T00:00:00.000Z or later \\(the first: ${open}\\). 2 of the charges were corrected or repriced ` +
          `after the period was closed \\(.*Z\\): use a later closed period \\(the first: ${changed}\\). Nothing was archived.$`,
      ),
    );
    expect((await refusalOf([good, changed, repriced])).metadata).toEqual({
      cause: 'CHANGED_TOO_LATE',
      charge_id: changed,
      charges: '2',
    });
    expect((await refusalOf([open])).metadata['cause']).toBe('USAGE_TOO_LATE');
    await closeAt(9);
    expect((await refusalOf([good, late])).metadata).toMatchObject({
      cause: 'RECORDED_TOO_LATE',
      charges: '2',
    });
    expect(await count('archived_charge')).toBe(0);
    expect(await server.rows()).toMatchObject({ charges: 5 });
    // A later closed period may have what is too late for this one.
    await closeAt(20);
    await closeLongAgo(pool, '2026-11-01T00:00:00Z');
    const november = { seconds: OCTOBER.seconds + 86_400n, nanos: 0 };
    expect(await archive(client, [good, changed, repriced, open, late], november)).toEqual({
      archived: 5,
      alreadyArchived: 0,
      lastArchivedSequence: 7n,
    });
  });

  test('because their period is not closed, or others have not followed the journal to its close', async () => {
    const { pool } = server;
    const ids = await createAll('a', 'b');
    expect((await refusalOf(ids)).metadata).toEqual({
      cause: 'PERIOD_NOT_CLOSED',
      end_time: '2026-10-01T00:00:00.000Z',
    });
    await closeLongAgo(pool, '2026-09-30T23:59:59.999999Z');
    expect((await refusalOf(ids)).metadata['cause']).toBe('PERIOD_NOT_CLOSED');
    await closeLongAgo(pool);
    await pool.query('UPDATE relay_cursor SET published_sequence = 1; UPDATE usage_cursor SET sequence = 0');
    const both = await refusalOf(ids);
    expect(both.metadata).toEqual({ cause: 'NOT_PUBLISHED', sequence: '2' });
    expect(both.message).toMatch(/published up to 1: .* have events up to 0: /);
    await pool.query('UPDATE relay_cursor SET published_sequence = 2');
    expect((await refusalOf(ids)).metadata).toEqual({ cause: 'NOT_SUMMED', sequence: '2' });
    await pool.query('DELETE FROM relay_cursor');
    expect((await refusalOf(ids)).metadata['cause']).toBe('NOT_PUBLISHED');
    await follow(pool);
    // A repair of the journal has given an old charge its event after the close.
    await pool.query('UPDATE journal_head SET repaired_sequence = 3');
    expect((await refusalOf(ids)).metadata).toEqual({ cause: 'RECORDED_TOO_LATE', sequence: '2' });
    await pool.query('UPDATE journal_head SET repaired_sequence = 2');
    expect(await archive(server.client, ids)).toMatchObject({ archived: 2 });
  });

  test('because the request is not valid', async () => {
    const [id = ''] = await createAll('a');
    await closeLongAgo(server.pool);
    const violationsOf = async (ids: string[], endTime = OCTOBER) =>
      (await errorOf(archive(server.client, ids, endTime))).violations.map(({ field }) => field);
    expect(await violationsOf([])).toEqual(['ids']);
    expect(await violationsOf(Array.from({ length: 1001 }, () => id))).toEqual(['ids']);
    expect(await violationsOf([id, 'x'])).toEqual(['ids[1]']);
    const future = { seconds: BigInt(Math.trunc(Date.now() / 1000)) + 3600n, nanos: 0 };
    expect(await violationsOf(['x'], future)).toEqual(['end_time', 'ids[0]']);
    expect(
      (
        await errorOf(
          call((callback) =>
            server.client.archiveCharges({ endTime: undefined, ids: [id], dryRun: false }, callback),
          ),
        )
      ).violations,
    ).toMatchObject([{ field: 'end_time' }]);
    expect(await count('charge')).toBe(1);
  });
});

describe('a reader of the journal', () => {
  test('cannot start before what is archived, and gets everything after it', async () => {
    const { client } = server;
    const [id = ''] = await createAll('a', 'b');
    await closeLongAgo(server.pool);
    await create(client, 'c');
    await voidCharge(client, 'b', { allowClosedPeriod: true });
    await archive(client, [id]);
    const refused = { code: 'OUT_OF_RANGE', reason: 'SEQUENCE_ARCHIVED' };
    expect(await errorOf(watch(client, 1))).toMatchObject({
      ...refused,
      metadata: { start_sequence: '1', first_sequence: '3' },
    });
    // Also where the charge of the event is still there.
    expect(await errorOf(watch(client, 1, {}, 2n))).toMatchObject(refused);
    const events = await watch(client, 2, {}, 3n);
    expect(events.map(({ event }) => event?.$case)).toEqual(['chargeCreated', 'chargeVoided']);
  });

  test('that is too far behind ends with the number to go on at', async () => {
    const { client, pool } = server;
    const text = 'x'.repeat(200);
    const labels = new Map(Array.from({ length: 16 }, (_, i) => [`label-${i}`, text]));
    const requestIds = Array.from({ length: 1000 }, (_, i) => `${i}`);
    const usageTime = { seconds: 0n, nanos: 0 };
    const requests = requestIds.map((requestId) => createRequest(requestId, { labels, usageTime }));
    await call((callback) => client.batchCreateCharges({ requests }, callback));
    await closeLongAgo(pool);
    const stream = client.watchCharges({ startSequence: 1n, filter: undefined });
    const seen: WatchChargesResponse[] = [];
    const ended = new Promise((_, reject) => stream.on('error', reject));
    // It does not read on until the charges are gone. What it gets until then is in buffers.
    await new Promise<void>((resolve) =>
      stream.once('data', (first: WatchChargesResponse) => {
        stream.pause();
        seen.push(first);
        resolve();
      }),
    );
    const { rows } = await pool.query<{ id: string }>('SELECT id FROM charge');
    await archive(
      client,
      rows.map(({ id }) => id),
    );
    stream.on('data', (event: WatchChargesResponse) => seen.push(event));
    stream.resume();
    expect(await errorOf(ended)).toMatchObject({
      reason: 'SEQUENCE_ARCHIVED',
      metadata: { first_sequence: '1001' },
    });
    expect(seen.length).toBeLessThan(1000);
    expect(seen.map(({ event }) => event?.value.sequence)).toEqual(seen.map((_, i) => BigInt(i + 1)));
  });
});

test('the tables let only a transaction that archives delete, and nobody update or truncate', async () => {
  const [id = ''] = await createAll('a');
  await reprice(server.pool, id, 5n);
  await closeLongAgo(server.pool);
  const client = await server.pool.connect();
  const refused = { code: '42501' };
  const inTransaction = async (statement: string) => {
    await client.query(`BEGIN; SELECT set_config('charge.archiving', 'on', true)`);
    return client.query(statement).finally(() => client.query('ROLLBACK'));
  };
  try {
    for (const table of ['charge', 'cost_revision']) {
      await expect(client.query(`DELETE FROM ${table}`)).rejects.toMatchObject(refused);
      await expect(inTransaction(`UPDATE ${table} SET tenant = tenant`)).rejects.toMatchObject(refused);
      await expect(inTransaction(`TRUNCATE ${table}`)).rejects.toMatchObject(refused);
      expect((await inTransaction(`DELETE FROM ${table}`)).rowCount).toBe(1);
      // It ends with the transaction.
      await expect(client.query(`DELETE FROM ${table}`)).rejects.toMatchObject(refused);
    }
    for (const table of ['correction', 'journal', 'period_close', 'archived_charge'])
      await expect(inTransaction(`DELETE FROM ${table}`)).rejects.toMatchObject(refused);
  } finally {
    client.release();
  }
});
