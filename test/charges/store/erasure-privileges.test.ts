/** Only one function of the database changes a charge, and only who may call it can. */

import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { query } from '../../support/database.ts';
import { openReconcileBook, type ReconcileBook } from '../../usage/support/reconcile.ts';

const PSEUDONYM = /^erased-[0-9a-f]{16}$/;
const DENIED = '42501';
const role = `erasure_test_${randomUUID().slice(0, 8)}`;

let book: ReconcileBook;
beforeEach(async () => {
  book = await openReconcileBook();
  await query(
    book.url,
    `CREATE ROLE ${role} NOLOGIN`,
    `GRANT SELECT, INSERT ON charge, correction TO ${role}`,
    `GRANT EXECUTE ON FUNCTION erase_user_profile TO ${role}`,
  );
});
afterEach(async () => {
  await query(book.url, `DROP OWNED BY ${role}`, `DROP ROLE ${role}`);
  await book.close();
});

const users = async () =>
  (await query(book.url, 'SELECT DISTINCT user_profile AS name FROM charge')).map(({ name }) => name);
/** As the role, in a transaction of a tenant. */
const as = (tenant: string, ...statements: string[]) =>
  query(
    book.url,
    `SET ROLE ${role}`,
    'BEGIN',
    `SET LOCAL charge.tenant = '${tenant}'`,
    ...statements,
    'COMMIT',
  ).then(
    () => 'done',
    (error: { code?: string }) => error.code,
  );

test('the role of the service changes a charge through the function alone, and of the tenant of the transaction alone', async () => {
  await book.record([0]);
  for (const statement of [
    `UPDATE charge SET user_profile = 'x'`,
    `SET LOCAL charge.erasing = 'on'; UPDATE charge SET user_profile = 'x'`,
    'DELETE FROM charge',
    'SELECT FROM erasure',
    'SELECT FROM erasure_key',
  ])
    expect(await as('default', statement)).toBe(DENIED);
  const eraseIt = `SELECT erase_user_profile('alice', 10, false)`;
  expect(await as('acme', eraseIt)).toBe('done');
  expect(await users()).toEqual(['alice']);
  expect(await as('default', eraseIt)).toBe('done');
  expect(await users()).toEqual([expect.stringMatching(PSEUDONYM)]);
});

test('who was not granted the function may not call it', async () => {
  await book.record([0]);
  await query(book.url, `REVOKE EXECUTE ON FUNCTION erase_user_profile FROM ${role}`);
  expect(await as('default', `SELECT erase_user_profile('alice', 10, false)`)).toBe(DENIED);
});

test('the function finds no table of its caller in the place of ours', async () => {
  await book.record([0]);
  await query(book.url, `CREATE SCHEMA ${role} AUTHORIZATION ${role}`);
  const shadow = `CREATE TABLE ${role}.erasure_key AS SELECT 'default'::text AS tenant, ''::bytea AS key`;
  const temporary = `CREATE TEMP TABLE erasure (tenant text, id_hash bytea, pseudonym text, charges bigint)`;
  const path = `SET LOCAL search_path = ${role}, public`;
  expect(await as('default', shadow, temporary, path, `SELECT erase_user_profile('alice', 10, false)`)).toBe(
    'done',
  );
  expect(await query(book.url, 'SELECT FROM erasure')).toHaveLength(1);
});

test('nobody changes an append-only row in passing, not even the owner', async () => {
  await book.record([0]);
  const update = (table: string) =>
    query(book.url, `UPDATE ${table} SET tenant = tenant`).catch((error: { code?: string }) => error.code);
  for (const table of ['charge', 'correction', 'reprice_run', 'audit_entry'])
    expect(await update(table)).toBe(DENIED);
});
