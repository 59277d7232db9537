/** Erased persons: what goes, what stays, and that every sum is the same at each step. */

import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import type { ChargeContent } from '../../../src/charges/charge.ts';
import type { JournalEvent } from '../../../src/charges/charge-event.ts';
import { UserProfileEraser } from '../../../src/charges/store/erase-user-profile.ts';
import { forgetErased, keepForgetting } from '../../../src/charges/store/erasure-events.ts';
import { Repricer } from '../../../src/charges/store/reprice-charges.ts';
import { ServiceError } from '../../../src/errors/failure.ts';
import { PriceBooks } from '../../../src/prices/index.ts';
import { keptSums } from '../../../src/usage/index.ts';
import { query } from '../../support/database.ts';
import { waitFor } from '../../support/wait-for.ts';
import { ADMINISTRATOR, chargeRequest, openTestDatabase } from '../../support/store.ts';
import {
  DAY,
  openReconcileBook,
  type ReconcileBook,
  SEPTEMBER,
  TENANT,
} from '../../usage/support/reconcile.ts';

const ACTOR = { principal: { tenant: TENANT, name: 'api_key:k1' }, peer: '127.0.0.1:1' };
const PSEUDONYM = /^erased-[0-9a-f]{16}$/;
const UUID = expect.stringMatching(/^[0-9a-f-]{36}$/) as unknown;

let book: ReconcileBook;
let committed: JournalEvent[];
beforeEach(async () => {
  book = await openReconcileBook();
  committed = [];
});
afterEach(() => book.close());

const eraserOf = (chargesMax = 10_000) =>
  new UserProfileEraser(book.database, {
    retryForMs: 5_000,
    retryAfterMs: 100,
    sums: keptSums,
    chargesMax,
    committed: (events) => void committed.push(...events),
  });
const erase = (userProfile: string, chargesMax?: number) =>
  eraserOf(chargesMax).erase(TENANT, userProfile, ACTOR);

const record = (requestId: string, content: Partial<ChargeContent> = {}) =>
  book.writer.record(TENANT, [chargeRequest(requestId, content)]);
const newId = async (requestId: string, content: Partial<ChargeContent> = {}) => {
  const [result] = await record(requestId, content);
  return result && 'charge' in result ? result.charge.id : '';
};

/** Every sum of a day, by everything but the user profile. */
const sums = () =>
  query(
    book.url,
    `SELECT level, start_time, model, cost_currency, reported_cost_currency, sum(charges) AS charges,
       sum(prompt_tokens) AS prompt_tokens, sum(total_tokens) AS total_tokens, sum(reported_cost_nanos) AS reported
     FROM usage_rollup GROUP BY 1, 2, 3, 4, 5 HAVING sum(charges) <> 0 OR sum(total_tokens) <> 0 ORDER BY 1, 2, 3, 4, 5`,
  );
const usersOf = async (table: string) =>
  (
    await query(book.url, `SELECT DISTINCT user_profile FROM ${table} WHERE user_profile <> '' ORDER BY 1`)
  ).map((row) => row['user_profile']);

/** Every text of every table that holds a word. */
async function findEverywhere(word: string): Promise<string[]> {
  const tables = await query(
    book.url,
    `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')`,
  );
  const found: string[] = [];
  for (const { name } of tables) {
    const rows = await query(book.url, `SELECT to_jsonb(t)::text AS text FROM ${String(name)} AS t`);
    for (const { text } of rows)
      if (String(text).includes(word)) found.push(`${String(name)}: ${String(text)}`);
  }
  return found;
}

describe('an erased person', () => {
  test('is nowhere in the database any more, except for the event that consumers need for a month', async () => {
    const personal = {
      userProfile: 'zoe',
      sessionKey: 'zoe-session',
      reference: 'zoe-invoice',
      labels: new Map([['name', 'zoe']]),
    };
    const id = await newId('zoe-request-1', personal);
    const other = await newId('zoe-request-2', personal);
    await book.corrector.voidCharge(
      TENANT,
      { kind: 'void', key: { id }, requestId: 'void-zoe', reason: 'zoe asked', allowClosedPeriod: false },
      ADMINISTRATOR,
    );
    await book.corrector.amendCharge(
      TENANT,
      {
        kind: 'amend',
        key: { id: other },
        requestId: 'amend-zoe',
        reason: 'zoe again',
        allowClosedPeriod: false,
        content: chargeRequest('', { ...personal, promptTokens: 5n }).content,
      },
      ADMINISTRATOR,
    );
    await query(
      book.url,
      `INSERT INTO user_profile (tenant, id, display_name, create_time, update_time)
       VALUES ('default', 'zoe', 'zoe', now(), now())`,
      `INSERT INTO api_key (tenant, id, secret_hash, scopes, user_profile, display_name, create_time)
       VALUES ('default', 'k2', '', '{READ}', 'zoe', 'of zoe', now())`,
      `INSERT INTO reprice_run (tenant, run, run_id, reason, filter, create_time) VALUES
       ('default', 1, 'r1', 'for zoe', '{"filter.user_profile": "zoe", "filter.reference": "zoe-invoice"}', now()),
       ('default', 2, 'r2', 'for zoe', '{"filter.session_key": "zoe-session"}', now()),
       ('default', 3, 'r3', 'for all', '{"filter.model": "gpt-4o"}', now())`,
      `INSERT INTO audit_entry (tenant, id, actor, actor_tenant, action, target, details) VALUES
       ('default', gen_random_uuid(), 'a', 'default', 'charge.v1.UserProfileService/CreateUserProfile', 'zoe', '{"email": "zoe@x"}'),
       ('default', gen_random_uuid(), 'a', 'default', 'charge.v1.TenantService/CreateApiKey', 'k2', '{"user_profile": "zoe", "display_name": "of zoe", "scopes": "READ"}')`,
    );
    await book.follow();
    expect((await findEverywhere('zoe')).length).toBeGreaterThan(8);

    const { pseudonym, charges, done } = await erase('zoe');
    expect(pseudonym).toMatch(PSEUDONYM);
    expect({ charges, done }).toEqual({ charges: 3, done: true });
    await book.follow();
    expect(await findEverywhere('zoe')).toEqual([expect.stringMatching(/^erasure_event: /)]);
    await query(book.url, `UPDATE erasure_event SET create_time = now() - interval '31 days'`);
    const everyTenant = await openTestDatabase(book.url, { everyTenant: true });
    const stop = keepForgetting(everyTenant);
    await waitFor('the id to be forgotten', async () => (await findEverywhere('zoe')).length === 0);
    stop();
    expect(await forgetErased(everyTenant)).toBe(0);
    await everyTenant.close();

    const [key] = await query(
      book.url,
      'SELECT user_profile, revoke_time IS NOT NULL AS revoked FROM api_key',
    );
    expect(key).toEqual({ user_profile: pseudonym, revoked: true });
    const audit = await query(book.url, 'SELECT action, target, details FROM audit_entry ORDER BY action');
    expect(audit).toEqual([
      { action: 'charge.v1.ChargeService/AmendCharge', target: other, details: { replacement: UUID } },
      { action: 'charge.v1.ChargeService/VoidCharge', target: id, details: { charges: '1' } },
      {
        action: 'charge.v1.TenantService/CreateApiKey',
        target: 'k2',
        details: { user_profile: pseudonym, scopes: 'READ' },
      },
      { action: 'charge.v1.UserProfileService/CreateUserProfile', target: pseudonym, details: null },
      {
        action: 'charge.v1.UserProfileService/EraseUserProfile',
        target: pseudonym,
        details: { charges: '3' },
      },
    ]);
    const [run] = await query(book.url, 'SELECT reason, filter FROM reprice_run WHERE run = 3');
    expect(run).toEqual({ reason: 'for all', filter: { 'filter.model': 'gpt-4o' } });
    expect(await usersOf('charge')).toEqual([pseudonym]);
    expect((await book.reconcile()).findings).toEqual([]);
  });

  test('changes nothing in the audit log about anything else, whatever the id is', async () => {
    const readEntry = () =>
      query(book.url, `SELECT target, details FROM audit_entry WHERE target IN ('k3', 'READ')`);
    await query(
      book.url,
      `INSERT INTO user_profile (tenant, id, create_time, update_time) VALUES ('default', 'READ', now(), now())`,
      `INSERT INTO audit_entry (tenant, id, actor, actor_tenant, action, target, details) VALUES
       ('default', gen_random_uuid(), 'a', 'default', 'charge.v1.TenantService/CreateApiKey', 'k3', '{"scopes": "READ"}'),
       ('default', gen_random_uuid(), 'a', 'default', 'charge.v1.TenantService/RevokeApiKey', 'READ', NULL)`,
    );
    const before = await readEntry();
    expect(before).toHaveLength(2);
    expect((await erase('READ')).done).toBe(true);
    expect(await readEntry()).toEqual(before);
  });

  test('leaves other users, other tenants and what a charge costs as they are', async () => {
    await book.record([0, 1]);
    await book.record([0], 'bob');
    await query(
      book.url,
      `INSERT INTO journal_head (tenant, last_sequence) VALUES ('acme', 0)`,
      `INSERT INTO tenant_lock VALUES ('acme')`,
    );
    await book.writer.record('acme', [chargeRequest('a')]);
    const columns = `id, request_key, provider, model, prompt_tokens, completion_tokens, total_tokens, cost_nanos,
      reported_cost_nanos, usage_time, create_time, price_version`;
    const before = await query(book.url, `SELECT ${columns} FROM charge ORDER BY tenant, id`);
    const { pseudonym } = await erase('alice');
    expect(await query(book.url, `SELECT ${columns} FROM charge ORDER BY tenant, id`)).toEqual(before);
    const users = await query(book.url, 'SELECT tenant, user_profile FROM charge ORDER BY tenant, id');
    expect(users).toEqual([
      { tenant: 'acme', user_profile: 'alice' },
      { tenant: 'default', user_profile: pseudonym },
      { tenant: 'default', user_profile: pseudonym },
      { tenant: 'default', user_profile: 'bob' },
    ]);
  });

  test('has one event, however many calls it takes', async () => {
    await book.record([0, 0, 1, 1, 2]);
    const calls = [];
    do calls.push(await erase('alice', 2));
    while (!calls.at(-1)?.done);
    expect(calls.map(({ charges }) => charges)).toEqual([2, 2, 1]);
    const [event, ...others] = await book.journal.read(TENANT, 5n, 10);
    expect(others).toEqual([]);
    expect(event).toMatchObject({ kind: 'erased', sequence: 6n, charges: 5n, userProfile: 'alice' });
    expect(committed).toEqual([event]);
    // Nothing is left, so nothing is announced.
    expect(await erase('alice')).toEqual({ pseudonym: calls[0]?.pseudonym, charges: 0, done: true });
    expect(await book.journal.lastSequence(TENANT)).toBe(6n);
  });

  test('has one event if the last full call has erased everything', async () => {
    await book.record([0, 0]);
    expect(await erase('alice', 2)).toMatchObject({ charges: 2, done: false });
    expect(await erase('alice', 2)).toMatchObject({ charges: 0, done: true });
    expect(committed).toMatchObject([{ charges: 2n }]);
  });

  test('keeps the pseudonym when charges come later, with an event of their own', async () => {
    await book.record([0]);
    const { pseudonym } = await erase('alice');
    await book.record([1, 2]);
    expect(await erase('alice')).toEqual({ pseudonym, charges: 2, done: true });
    expect(committed).toMatchObject([{ charges: 1n }, { charges: 2n, pseudonym }]);
    // The pseudonym is nobody's id.
    expect(await erase(pseudonym)).toEqual({ pseudonym, charges: 0, done: true });
    expect((await erase('bob').catch((error: unknown) => error)) as ServiceError).toBeInstanceOf(
      ServiceError,
    );
  });

  test('of whom nothing is known is not found, and leaves nothing behind', async () => {
    await expect(erase('nobody')).rejects.toMatchObject({ failure: { reason: 'USER_PROFILE_NOT_FOUND' } });
    expect(await query(book.url, 'SELECT FROM erasure')).toEqual([]);
    expect(await query(book.url, 'SELECT FROM audit_entry')).toEqual([]);
  });
});

describe('sums', () => {
  test('are equal before, between and after the calls, also if they lag behind the journal', async () => {
    const ids = await book.record([0, 0, 0, 1, 1, 2, 2, 2, 2]);
    await book.record([0, 1], 'bob');
    await book.follow();
    // Some of what happened to the charges is in the sums, and some is not.
    await book.voidCharge(ids[0] ?? '');
    await book.amendCharge(ids[1] ?? '');
    await book.follow(1);
    await book.voidCharge(ids[4] ?? '');
    await book.record([2, 3]);
    const cursor = await query(book.url, 'SELECT sequence FROM usage_cursor');
    const before = await sums();
    expect((await book.reconcile()).findings).toEqual([]);
    for (let done = false; !done;) {
      ({ done } = await erase('alice', 3));
      expect(await sums()).toEqual(before);
      expect((await book.reconcile()).findings).toEqual([]);
    }
    expect(await query(book.url, 'SELECT sequence FROM usage_cursor')).toEqual(cursor);
    expect(await usersOf('usage_rollup')).toEqual(['bob', expect.stringMatching(PSEUDONYM)]);
    await book.follow();
    expect((await book.reconcile()).findings).toEqual([]);
    expect(await usersOf('usage_rollup')).toEqual(['bob', expect.stringMatching(PSEUDONYM)]);
  });

  test('of archived charges are moved too', async () => {
    const ids = await book.record([0, 0, 40]);
    await book.follow();
    await query(
      book.url,
      `INSERT INTO relay_cursor VALUES ('default', 3)`,
      `INSERT INTO period_close (tenant, end_time, create_time, sequence)
       VALUES ('default', '2026-10-01', now() + interval '20 minutes', 3)`,
    );
    const end = SEPTEMBER + 30n * DAY;
    await book.corrector.archiveCharges(TENANT, end, ids.slice(0, 2), false, ADMINISTRATOR);
    const before = await sums();
    expect(await erase('alice')).toMatchObject({ charges: 1, done: true });
    expect(await sums()).toEqual(before);
    expect(await usersOf('usage_rollup')).toEqual([expect.stringMatching(PSEUDONYM)]);
    expect((await book.reconcile()).findings).toEqual([]);
  });

  test('stay right while charges of the person are written and followed', async () => {
    await book.record(Array.from({ length: 200 }, (_, i) => i % 5));
    const follower = book.startFollower();
    let writing = true;
    const writer = (async () => {
      while (writing) await book.record([0, 1, 2]);
    })();
    for (let calls = 0; calls < 15; calls++) await erase('alice', 40);
    writing = false;
    await writer;
    await follower.stop();
    await book.follow();
    expect((await book.reconcile()).findings).toEqual([]);
    while (!(await erase('alice', 1_000)).done);
    expect((await book.reconcile()).findings).toEqual([]);
    expect(await usersOf('charge')).toEqual([expect.stringMatching(PSEUDONYM)]);
    expect(await usersOf('usage_rollup')).toEqual([expect.stringMatching(PSEUDONYM)]);
  });
});

describe('a repeated request', () => {
  const erasedAs = (chargeId: string) => [expect.objectContaining({ outcome: 'erased', chargeId })];

  test('for an erased charge makes no charge, whatever its content, and tells nothing', async () => {
    const uuid = randomUUID();
    const [id, other] = [await newId('r-1'), await newId(uuid)];
    await erase('alice');
    const rows = await query(book.url, 'SELECT content_hash AS hash FROM charge');
    expect(new Set(rows.map(({ hash }) => hash)).size).toBe(1);
    expect(await record('r-1')).toEqual(erasedAs(id));
    expect(await record('r-1', { promptTokens: 9n })).toEqual(erasedAs(id));
    expect(await record(uuid)).toEqual(erasedAs(other));
    expect(await query(book.url, 'SELECT FROM charge')).toHaveLength(2);
    const charge = await book.reader.findByRequestId(TENANT, 'r-1');
    if (charge === undefined) throw new Error('the charge is gone');
    expect(charge).toMatchObject({ id, userProfile: expect.stringMatching(PSEUDONYM) });
    // What an export says instead of the request id makes no charge, either.
    const exported = book.reader.requestIdOf(charge);
    expect(exported).toMatch(/^erased:/);
    expect(await record(exported)).toEqual(erasedAs(id));
  });

  test('for an amendment or a void changes nothing', async () => {
    const [amended, voided] = [await newId('a'), await newId('v')];
    const options = { reason: 'wrong', allowClosedPeriod: false };
    const amend = () =>
      book.corrector.amendCharge(
        TENANT,
        {
          kind: 'amend',
          key: { id: amended },
          requestId: 'a-2',
          content: chargeRequest('', { promptTokens: 1n }).content,
          ...options,
        },
        ADMINISTRATOR,
      );
    const voidIt = () =>
      book.corrector.voidCharge(
        TENANT,
        { kind: 'void', key: { id: voided }, requestId: 'v-2', ...options },
        ADMINISTRATOR,
      );
    const { replacement } = await amend();
    await voidIt();
    await erase('alice');
    const last = await book.journal.lastSequence(TENANT);
    await expect(amend()).rejects.toMatchObject({
      failure: { reason: 'CHARGE_ERASED', metadata: { charge_id: replacement?.id } },
    });
    await expect(voidIt()).rejects.toMatchObject({ failure: { reason: 'CHARGE_ALREADY_CORRECTED' } });
    expect(await book.journal.lastSequence(TENANT)).toBe(last);
  });
});

test('an erased charge can still be voided and repriced', async () => {
  const id = await newId('r-1');
  await erase('alice');
  const repricer = new Repricer(
    book.database,
    new PriceBooks(book.database.em, () => undefined),
    { retryForMs: 5_000, retryAfterMs: 100 },
    { committed: () => undefined },
  );
  const query = {
    filter: { startTimeMicros: 0n, endTimeMicros: SEPTEMBER + 1_000n * DAY },
    includePriced: true,
    dryRun: false,
    reason: 'prices',
    runId: 'run',
    maxCharges: 100,
    after: undefined,
    allowClosedPeriod: false,
  };
  const page = await repricer.reprice(TENANT, query, ADMINISTRATOR);
  expect(page.totals.matchedCharges).toBe(1);
  await book.voidCharge(id);
  await book.follow();
  expect((await book.reconcile()).findings).toEqual([]);
});

test('two processes erase the same person one after the other', async () => {
  await book.record(Array.from({ length: 60 }, (_, i) => i % 4));
  const calls = await Promise.all(Array.from({ length: 8 }, () => erase('alice', 20)));
  expect(calls.reduce((sum, { charges }) => sum + charges, 0)).toBe(60);
  expect(new Set(calls.map(({ pseudonym }) => pseudonym)).size).toBe(1);
  expect(committed).toMatchObject([{ charges: 60n }]);
  expect((await book.reconcile()).findings).toEqual([]);
});
