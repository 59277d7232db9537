/** A journal, or what it numbers, that somebody has damaged: each fault is named, and repaired if that is no guess. */

import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { reprice } from '../../../charges/support/corrections.ts';
import { CHECK } from '../../../../src/usage/reconcile.ts';
import { query } from '../../../support/database.ts';
import { DAY, openReconcileBook, type ReconcileBook, SEPTEMBER } from '../../support/reconcile.ts';

let book: ReconcileBook;
/** Of the charges, in the order of their numbers. */
let ids: string[];
beforeEach(async () => {
  book = await openReconcileBook();
  ids = [];
  for (const day of [0, 0, 1, 1, 2]) ids.push(...(await book.record([day])));
  await book.voidCharge(ids[0] ?? '');
  await book.amendCharge(ids[1] ?? '');
  await reprice(book.owner.pool, ids[2] ?? '', 5n);
  await book.follow();
});
afterEach(() => book.close());

const JOURNAL = { checks: [CHECK.journal] };

/** The kind, the numbers and the id of each finding, and whether it is repaired. */
async function found(repair = false) {
  const { findings } = await book.reconcile({ ...JOURNAL, repair });
  return findings.map(({ kind, sequences, id, expected, found: is, repaired = false }) => ({
    kind,
    ...(sequences && { numbers: [Number(sequences.first), Number(sequences.last)] }),
    ...(id && { id }),
    ...(expected !== undefined && { expected, found: is }),
    ...(repaired && { repaired }),
  }));
}

const rows = async (sql: string) => (await query(book.url, sql))[0];
const head = async () => (await rows('SELECT last_sequence::int AS head FROM journal_head'))?.['head'];
const idOf = async (table: string): Promise<string> =>
  (await rows(`SELECT id FROM ${table} ORDER BY sequence LIMIT 1`))?.['id'] as string;

test('a journal that nobody has touched has no findings', async () => {
  expect(await head()).toBe(8);
  expect(await found()).toEqual([]);
  expect(await found(true)).toEqual([]);
  expect(await head()).toBe(8);
});

test('a charge without an event gets a new one at the end, and belongs to the sums then', async () => {
  const id = `01900000-0000-7000-8000-${randomUUID().slice(24)}`;
  await book.damage(
    `INSERT INTO charge SELECT (jsonb_populate_record(charge, '{"id": "${id}", "request_key": "${randomUUID()}"}')).*
     FROM charge WHERE id = '${ids[2]}'`,
  );
  const finding = { kind: 'chargeWithoutEvent', id };
  expect(await found()).toEqual([finding]);
  const { findings } = await book.reconcile(JOURNAL);
  expect(findings[0]?.dayMicros).toBe(SEPTEMBER + DAY);
  const all = await book.reconcile({ repair: true });
  expect(all.findings).toMatchObject([{ ...finding, repaired: true }]);
  expect(all.summary).toMatchObject({ drifts: 0, lastSequence: 9n });
  expect(await book.repairs()).toEqual([
    ['journal', { charges: '1', first_sequence: '9', last_sequence: '9' }],
  ]);
  expect((await book.reconcile()).findings).toEqual([]);
  await book.follow();
  expect((await book.reconcile()).findings).toEqual([]);
});

test('an entry that is lost: its numbers are named, and its charges get no others, so that it can be restored', async () => {
  await book.damage('DELETE FROM journal WHERE last_sequence = 4');
  const gap = { kind: 'numbersMissing', numbers: [4, 4] };
  const charge = { kind: 'chargeWithoutEvent', id: ids[3] };
  expect(await found()).toEqual([gap, charge]);
  const { summary } = await book.reconcile({ repair: true });
  expect(summary).toMatchObject({ drifts: 2, lastSequence: 8n });
  expect(await book.repairs()).toEqual([]);
  expect(await found()).toEqual([gap, charge]);
});

test('many charges without an event all get one', async () => {
  const many = await book.record(Array.from({ length: 1_203 }, (_, index) => index % 10));
  await book.damage(
    'DELETE FROM journal WHERE last_sequence > 8',
    'UPDATE journal_head SET last_sequence = 8',
  );
  const { findings, summary } = await book.reconcile({ ...JOURNAL, repair: true });
  expect(findings).toHaveLength(100);
  expect(summary).toMatchObject({ drifts: 0, lastSequence: BigInt(8 + many.length) });
  expect(await found()).toEqual([]);
});

test('corrections and new costs without an event are named', async () => {
  const [correction, revision] = [await idOf('correction'), await idOf('cost_revision')];
  await book.damage(
    'DELETE FROM journal WHERE last_sequence IN (6, 8)',
    'UPDATE journal_head SET last_sequence = 7',
  );
  expect(await found(true)).toEqual([
    { kind: 'numbersMissing', numbers: [6, 6] },
    { kind: 'correctionWithoutEvent', id: correction, numbers: [6, 6] },
    { kind: 'costRevisionWithoutEvent', id: revision, numbers: [8, 8] },
  ]);
});

test('a replacement is not recorded without the event of its correction', async () => {
  await book.damage('DELETE FROM journal WHERE last_sequence = 7');
  expect(await found(true)).toMatchObject([
    { kind: 'numbersMissing', numbers: [7, 7] },
    { kind: 'chargeWithoutEvent' },
    { kind: 'correctionWithoutEvent', numbers: [7, 7] },
  ]);
  expect(await head()).toBe(8);
});

test.each([
  ['a charge', `DELETE FROM charge WHERE id = (SELECT event_ids[1] FROM journal WHERE last_sequence = 5)`, 5],
  ['a correction', 'DELETE FROM correction WHERE sequence = 6', 6],
  ['a new cost', 'DELETE FROM cost_revision', 8],
])('the event of %s that is lost is named', async (_, statement, number) => {
  await book.damage(statement);
  const eventId = (await rows(`SELECT event_ids[1] AS id FROM journal WHERE last_sequence = ${number}`))?.[
    'id'
  ];
  expect(await found(true)).toEqual([{ kind: 'eventWithoutRow', id: eventId, numbers: [number, number] }]);
});

test('an event whose row has another number, or is of another kind, is named', async () => {
  const [correction, revision] = [await idOf('correction'), await idOf('cost_revision')];
  await book.damage(
    'UPDATE cost_revision SET sequence = 3',
    'UPDATE journal SET kind = 3 WHERE last_sequence = 6',
    `UPDATE journal SET kind = 77 WHERE last_sequence = 2`,
  );
  expect(await found(true)).toMatchObject([
    { kind: 'eventDiffers', id: ids[1], numbers: [2, 2], expected: '2', found: '' },
    { kind: 'eventWithoutRow', id: correction, numbers: [6, 6] },
    { kind: 'eventDiffers', id: revision, numbers: [8, 8], expected: '8', found: '3' },
    { kind: 'chargeWithoutEvent', id: ids[1] },
    { kind: 'costRevisionWithoutEvent', id: revision, numbers: [3, 3] },
  ]);
});

test('a charge that is recorded twice, and numbers that are given twice, are named', async () => {
  await book.damage(
    `INSERT INTO journal VALUES ('default', 9, 1, ARRAY['${ids[4]}'::uuid])`,
    `UPDATE journal_head SET last_sequence = 9`,
  );
  expect(await found(true)).toEqual([{ kind: 'eventDoubled', id: ids[4], numbers: [5, 9] }]);
  await book.damage(
    `UPDATE journal SET event_ids = ARRAY['${ids[2]}'::uuid] || event_ids WHERE last_sequence = 5`,
  );
  expect(await found(true)).toMatchObject([
    { kind: 'numbersDoubled', numbers: [4, 4] },
    { kind: 'eventDoubled', id: ids[2], numbers: [3, 4] },
    { kind: 'eventDoubled', id: ids[4], numbers: [5, 9] },
  ]);
});

test('a head before the last entry is set to it', async () => {
  await book.damage('UPDATE journal_head SET last_sequence = 3');
  const finding = { kind: 'headBehind', expected: '8', found: '3' };
  expect(await found()).toEqual([finding]);
  expect(await found(true)).toEqual([{ ...finding, repaired: true }]);
  expect(await head()).toBe(8);
  expect(await book.repairs()).toEqual([['journal', { last_sequence: '8' }]]);
  await book.record([4]);
  expect(await found()).toEqual([]);
});

test('a head after the last entry is never set back', async () => {
  await book.damage('UPDATE journal_head SET last_sequence = 20');
  expect(await found(true)).toEqual([{ kind: 'headAhead', expected: '8', found: '20' }]);
  expect(await head()).toBe(20);
});

test('a head that is missing is named', async () => {
  await book.damage('DELETE FROM journal_head');
  expect(await found(true)).toEqual([{ kind: 'headBehind', expected: '8', found: '' }]);
});

test('a huge gap costs nothing', async () => {
  await book.damage(
    `UPDATE journal SET last_sequence = 9000000000000000000 WHERE last_sequence = 5`,
    'UPDATE journal_head SET last_sequence = 9000000000000000000',
  );
  expect(await found(true)).toMatchObject([
    { kind: 'numbersMissing', numbers: [5, 5] },
    { kind: 'numbersMissing' },
  ]);
});
