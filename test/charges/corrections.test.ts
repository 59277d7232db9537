/** Voids and amendments through the front door: a real server and a real client. */

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { ChargeState } from '../../generated/charge/v1/charge.ts';
import type { GetChargeResponse } from '../../generated/charge/v1/charge_service.ts';
import { call, errorOf } from '../support/server.ts';
import { readAuditLog } from '../tenants/support/audit.ts';
import {
  amendCharge,
  type CorrectionServer,
  create,
  listAll,
  OCTOBER,
  openCorrectionServer,
  SEPTEMBER_10,
  totalOfList,
  voidCharge,
  watch,
} from './support/corrections.ts';

let server: CorrectionServer;
beforeEach(async () => {
  server = await openCorrectionServer();
});
afterEach(() => server.close());

const getCharge = (requestId: string) =>
  call<GetChargeResponse>((callback) =>
    server.client.getCharge({ key: { $case: 'requestId', value: requestId } }, callback),
  );
const kinds = async (count: number) => (await watch(server.client, count)).map(({ event }) => event?.$case);

describe('a void', () => {
  test('takes the charge out of the total and out of lists, once, and keeps its request id', async () => {
    const { client } = server;
    const { charge } = await create(client, 'v1');
    expect(charge?.cost?.amount).toEqual({ currencyCode: 'USD', nanos: 7_500_000n });
    const first = await voidCharge(client, 'v1');
    expect(first).toMatchObject({
      replayed: false,
      charge: {
        id: charge?.id,
        state: ChargeState.CHARGE_STATE_VOIDED,
        cost: { amount: { nanos: 7_500_000n } },
      },
      correction: {
        state: ChargeState.CHARGE_STATE_VOIDED,
        reason: 'test traffic',
        sequence: 2n,
        replacementId: '',
      },
    });
    expect(first.charge?.updateTime).toEqual(first.correction?.createTime);
    expect(await voidCharge(client, 'v1')).toEqual({ ...first, replayed: true });
    expect(await errorOf(voidCharge(client, 'v1', { requestId: 'other', reason: 'again' }))).toMatchObject({
      code: 'FAILED_PRECONDITION',
      reason: 'CHARGE_ALREADY_CORRECTED',
      metadata: { charge_id: charge?.id, state: 'VOIDED', correction_id: first.correction?.id },
    });
    expect(await errorOf(voidCharge(client, 'v1', { reason: 'another reason' }))).toMatchObject({
      code: 'ALREADY_EXISTS',
      reason: 'REQUEST_ID_REUSED',
      metadata: { request_id: 'void of v1', field: 'reason', correction_id: first.correction?.id },
    });
    expect(await create(client, 'v1')).toMatchObject({
      replayed: true,
      charge: { id: charge?.id, state: ChargeState.CHARGE_STATE_VOIDED },
    });
    expect(await totalOfList(client)).toEqual({ nanos: 0n, charges: 0, unpriced: 0 });
    expect(await listAll(client)).toEqual([]);
    expect((await listAll(client, {}, true)).map(({ id }) => id)).toEqual([charge?.id]);
    expect(await kinds(2)).toEqual(['chargeCreated', 'chargeVoided']);
    expect(await server.rows()).toMatchObject({ charges: 1, corrections: 1, sequence: 2 });
  });

  test('is in the audit log by its caller, together with others at the same time', async () => {
    const clients = [server.client, server.newClient()];
    const ids = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => (await create(server.client, `v${i}`)).charge?.id ?? ''),
    );
    const holder = await server.pool.connect();
    await holder.query(`BEGIN; SELECT FROM tenant_lock WHERE tenant = 'default' FOR UPDATE`);
    const voids = ids.map((_, i) => voidCharge(clients[i % 2] ?? server.client, `v${i}`));
    for (const client of clients) await totalOfList(client);
    await holder.query('COMMIT');
    holder.release();
    await Promise.all(voids);
    await voidCharge(server.client, 'v0');
    const entries = (await readAuditLog(server.address)).filter(({ action }) =>
      action.endsWith('/VoidCharge'),
    );
    const byPeer = Map.groupBy(entries, ({ peer }) => peer);
    expect(
      [...byPeer.values()].map((some) => some.flatMap(({ target }) => target.split(', ')).sort()).sort(),
    ).toEqual([0, 1].map((of) => ids.filter((_, i) => i % 2 === of).sort()).sort());
    expect(entries.length).toBeLessThan(ids.length);
  });

  test('names the charge by its id too, in either case, and the same id for another charge is refused', async () => {
    const { client } = server;
    const { charge } = await create(client, 'a');
    await create(client, 'b');
    const id = charge?.id.toUpperCase() ?? '';
    const first = await voidCharge(client, '', { key: { $case: 'id', value: id }, requestId: 'v' });
    expect(first.charge?.id).toBe(charge?.id);
    // The same charge, named in another way.
    expect(await voidCharge(client, 'a', { requestId: 'v' })).toEqual({ ...first, replayed: true });
    expect(await errorOf(voidCharge(client, 'b', { requestId: 'v' }))).toMatchObject({
      reason: 'REQUEST_ID_REUSED',
      metadata: { field: 'charge_request_id' },
    });
    expect(await totalOfList(client)).toMatchObject({ charges: 1 });
  });

  test.each([
    ['id', { key: { $case: 'id', value: '01932f00-0000-7000-8000-000000000001' } } as const, { id: /^0193/ }],
    ['request id', {}, { request_id: /^unknown$/ }],
  ])('of an unknown %s is refused', async (_, request, metadata) => {
    const error = await errorOf(voidCharge(server.client, 'unknown', request));
    expect(error).toMatchObject({ code: 'NOT_FOUND', reason: 'CHARGE_NOT_FOUND' });
    for (const [key, value] of Object.entries(metadata)) expect(error.metadata[key]).toMatch(value);
    expect(await server.rows()).toEqual({ charges: 0, corrections: 0, closed: 0, sequence: 0 });
  });

  test('breaks the rules without a key, a request id or a reason', async () => {
    const error = await errorOf(voidCharge(server.client, '', { key: undefined, requestId: '', reason: '' }));
    expect(error.violations.map(({ field }) => field).toSorted()).toEqual(['key', 'reason', 'request_id']);
  });
});

describe('an amendment', () => {
  test('puts another charge in the place of the original, with one event', async () => {
    const { client } = server;
    const { charge: original } = await create(client, 'w1');
    const change = { userProfile: 'bob', promptTokens: 2000n, usageTime: SEPTEMBER_10 };
    const amended = await amendCharge(client, 'w1', 'w2', change, { reason: 'wrong user' });
    expect(amended).toMatchObject({
      replayed: false,
      charge: { amends: original?.id, userProfile: 'bob', cost: { amount: { nanos: 10_000_000n } } },
      original: { id: original?.id, state: ChargeState.CHARGE_STATE_AMENDED, replacedBy: amended.charge?.id },
      correction: {
        state: ChargeState.CHARGE_STATE_AMENDED,
        replacementId: amended.charge?.id,
        sequence: 2n,
      },
    });
    expect(await totalOfList(client, { userProfile: 'alice' })).toMatchObject({ nanos: 0n, charges: 0 });
    expect(await totalOfList(client, { userProfile: 'bob' })).toMatchObject({
      nanos: 10_000_000n,
      charges: 1,
    });
    expect((await getCharge('w1')).charge).toEqual(
      expect.objectContaining({ state: ChargeState.CHARGE_STATE_AMENDED, replacedBy: amended.charge?.id }),
    );
    expect(await amendCharge(client, 'w1', 'w2', change, { reason: 'wrong user' })).toEqual({
      ...amended,
      replayed: true,
    });
    expect(await errorOf(amendCharge(client, 'w1', 'w3', {}, { reason: 'no' }))).toMatchObject({
      code: 'FAILED_PRECONDITION',
      reason: 'CHARGE_ALREADY_CORRECTED',
      metadata: {
        state: 'AMENDED',
        replacement_id: amended.charge?.id,
        correction_id: amended.correction?.id,
      },
    });
    expect(await voidCharge(client, 'w2', { requestId: 'w4' })).toMatchObject({
      charge: { state: ChargeState.CHARGE_STATE_VOIDED, amends: original?.id },
      correction: { sequence: 3n },
    });
    expect(await totalOfList(client)).toEqual({ nanos: 0n, charges: 0, unpriced: 0 });
    expect(await kinds(3)).toEqual(['chargeCreated', 'chargeAmended', 'chargeVoided']);
    expect(await server.rows()).toMatchObject({ charges: 2, corrections: 2, sequence: 3 });
  });

  test('can be amended in turn, and its request id may be that of a void', async () => {
    const { client } = server;
    await create(client, '1');
    await amendCharge(client, '1', '2', { promptTokens: 2000n });
    await amendCharge(client, '2', '3', { promptTokens: 3000n });
    await create(client, 'x');
    await voidCharge(client, 'x', { requestId: '4' });
    const last = await amendCharge(client, '3', '4', { promptTokens: 4000n });
    expect(await listAll(client)).toEqual([last.charge]);
    expect(await totalOfList(client)).toMatchObject({ nanos: 15_000_000n, charges: 1 });
  });

  test('without a usage time has that of the original, and repeats with either', async () => {
    const { client } = server;
    await create(client, 'o');
    const amended = await amendCharge(client, 'o', 'n', { promptTokens: 1n });
    expect(amended.charge?.usageTime).toEqual(SEPTEMBER_10);
    const again = await amendCharge(client, 'o', 'n', { promptTokens: 1n, usageTime: SEPTEMBER_10 });
    expect(again).toEqual({ ...amended, replayed: true });
  });

  test('that changes nothing is refused, also of a charge that left its usage time to the server', async () => {
    const { client } = server;
    const { charge } = await create(client, 'same', { usageTime: undefined });
    const refusal = {
      code: 'FAILED_PRECONDITION',
      reason: 'AMENDMENT_UNCHANGED',
      metadata: { charge_id: charge?.id },
    };
    expect(await errorOf(amendCharge(client, 'same', 'n', {}))).toMatchObject(refusal);
    const explicit = { ...charge, totalTokens: 1500n };
    expect(await errorOf(amendCharge(client, 'same', 'n', explicit))).toMatchObject(refusal);
    expect(await server.rows()).toEqual({ charges: 1, corrections: 0, closed: 0, sequence: 1 });
  });

  test.each([
    ['another charge', 'b', {}, {}, 'charge_request_id'],
    ['another user profile', 'a', { userProfile: 'carol' }, {}, 'user_profile'],
    ['another usage time', 'a', { usageTime: OCTOBER }, {}, 'usage_time'],
    ['another reason', 'a', {}, { reason: 'else' }, 'reason'],
  ])('with the same request id and %s is refused', async (_, key, change, request, field) => {
    const { client } = server;
    await create(client, 'a');
    await create(client, 'b');
    const { charge } = await amendCharge(client, 'a', 'n', { promptTokens: 5n });
    const before = await server.rows();
    expect(
      await errorOf(amendCharge(client, key, 'n', { promptTokens: 5n, ...change }, request)),
    ).toMatchObject({
      code: 'ALREADY_EXISTS',
      reason: 'REQUEST_ID_REUSED',
      metadata: { request_id: 'n', field, charge_id: charge?.id },
    });
    expect(await server.rows()).toEqual(before);
  });

  test('with the request id of an ordinary charge is refused, its own among them', async () => {
    const { client } = server;
    await create(client, 'a');
    await create(client, 'b');
    for (const requestId of ['a', 'b']) {
      expect(await errorOf(amendCharge(client, 'a', requestId, { promptTokens: 5n }))).toMatchObject({
        reason: 'REQUEST_ID_REUSED',
        metadata: { field: 'charge_request_id' },
      });
    }
    expect(await server.rows()).toMatchObject({ charges: 2, corrections: 0 });
  });

  test('keeps the price version of the original, unless what chose the version is different', async () => {
    const { client } = server;
    await create(client, 'kept');
    await create(client, 'moved');
    await create(client, 'unpriced', { model: 'new' });
    await server.addPrice({ input: 5_000_000_000n, output: 0n });
    await server.addPrice({ model: 'new', input: 1_000_000_000n, output: 0n });
    const cost = { priceVersion: 1n, amount: { nanos: 2_500_000n + 5_000_000n }, revision: 0 };
    const kept = await amendCharge(client, 'kept', 'k', { userProfile: 'bob' });
    expect(kept.charge).toMatchObject({ cost });
    const moved = await amendCharge(client, 'moved', 'm', { usageTime: OCTOBER });
    expect(moved.charge).toMatchObject({ cost: { priceVersion: 2n, amount: { nanos: 5_000_000n } } });
    const priced = await amendCharge(client, 'unpriced', 'u', { model: 'new', userProfile: 'bob' });
    expect(priced.charge).toMatchObject({ cost: { priceVersion: 3n, amount: { nanos: 1_000_000n } } });
    expect(priced.original?.cost?.amount).toBeUndefined();
  });

  test('stays part of the import of the original', async () => {
    const { client } = server;
    const importId = '01932f00-0000-4000-8000-000000000001';
    const { charge } = await create(client, 'plain');
    await call((callback) =>
      client.createCharge(
        { requestId: 'imported', importId, charge: { ...charge!, promptTokens: 7n } },
        callback,
      ),
    );
    const amended = await amendCharge(client, 'imported', 'n', { promptTokens: 8n });
    expect(await listAll(client, { importId })).toEqual([amended.charge]);
  });

  test('breaks the rules of charges as a new charge does', async () => {
    await create(server.client, 'a');
    const error = await errorOf(amendCharge(server.client, 'a', 'n', { promptTokens: -1n, userProfile: '' }));
    expect(error.violations.map(({ field }) => field)).toEqual(
      expect.arrayContaining(['charge.prompt_tokens', 'charge.user_profile']),
    );
  });
});
