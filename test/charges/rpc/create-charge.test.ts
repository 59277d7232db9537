/** CreateCharge and GetCharge: conversion, refusals, and what the domain is told. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { CreateChargeRequest, CreateChargeResponse } from '../../../generated/charge/v1/charge_service.ts';
import { databaseUnavailable, ServiceError } from '../../../src/errors/failure.ts';
import { leastCpuMs } from '../../support/cpu.ts';
import { waitFor } from '../../support/wait-for.ts';
import {
  call,
  callWithBytes,
  chargeRequest,
  failureOf,
  type Fixture,
  startServer,
} from '../../grpc/support/server.ts';

let fixture: Fixture;
beforeEach(async () => {
  fixture = await startServer();
});
afterEach(() => fixture.close());

const create = (request: CreateChargeRequest): Promise<CreateChargeResponse> =>
  call(fixture.client, 'createCharge', request);

test('returns the charge as stored', async () => {
  const request = chargeRequest('r-1', {
    sessionKey: 'session-1',
    tokenDetails: {
      cacheReadTokens: 4n,
      cacheWrite5mTokens: 3n,
      cacheWrite1hTokens: 3n,
      reasoningTokens: 5n,
      audioInputTokens: 10n,
      audioOutputTokens: 1n,
      imageInputTokens: 1n,
      imageOutputTokens: 1n,
    },
    reference: 'invoice-9',
    region: 'eu',
    quantities: [{ kind: 20, amount: 3n }],
    reportedCost: { currencyCode: 'EUR', nanos: 5n },
    callOutcome: 2,
    labels: new Map([['__proto__', 'é😀']]),
  });
  const { charge, replayed } = await create(request);
  expect(replayed).toBe(false);
  const createTime = { seconds: 1_700_000_000n, nanos: 1000 };
  expect(charge).toEqual({
    ...request.charge,
    id: '0190a0e0-0000-7000-8000-000000000001',
    totalTokens: 15n,
    usageTime: { seconds: 0n, nanos: 1000 },
    createTime,
    updateTime: createTime,
    serviceTier: 1,
    cost: {
      status: 2,
      amount: undefined,
      priceVersion: 0n,
      revision: 0,
      unpricedReason: 1,
      unpricedKinds: [],
      lines: [],
    },
    state: 1,
  });
});

test('an absent total is the sum, a present one is kept', async () => {
  await create(chargeRequest('r-1'));
  await create(chargeRequest('r-2', { totalTokens: 16n }));
  expect(fixture.journal.entries.map(({ charge }) => charge.totalTokens)).toEqual([15n, 16n]);
});

test('cuts usage_time off at the microsecond, also before 1970', async () => {
  await create(chargeRequest('r-1', { usageTime: { seconds: 1n, nanos: 1_999 } }));
  const { charge } = await create(chargeRequest('r-2', { usageTime: { seconds: -2n, nanos: 999_999_999 } }));
  const times = fixture.journal.entries.map((entry) => entry.charge.usageTimeMicros);
  expect(times).toEqual([1_000_001n, -1_000_001n]);
  expect(charge?.usageTime).toEqual({ seconds: -2n, nanos: 999_999_000 });
});

test('ignores what only the server sets, however malformed', async () => {
  const request = chargeRequest('r-1', {
    id: 'mine',
    createTime: { seconds: -(2n ** 60n), nanos: -5 },
    updateTime: { seconds: 1n, nanos: 0 },
  });
  const { charge } = await create(request);
  expect(charge?.id).not.toBe('mine');
  expect(charge?.createTime?.seconds).toBe(1_700_000_000n);
});

test('passes a valid traceparent on and leaves others out', async () => {
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const { client, journal } = fixture;
  await call(client, 'createCharge', chargeRequest('r-1'), { metadata: { traceparent } });
  await call(client, 'createCharge', chargeRequest('r-2'), {
    metadata: { traceparent: traceparent.replace('b7ad6b7169203331', '0000000000000000') },
  });
  expect(journal.groups.flat().map((request) => request.traceparent)).toEqual([traceparent, undefined]);
});

test('a repeat is a replay, other content is ALREADY_EXISTS naming the field', async () => {
  const first = await create(chargeRequest('r-1'));
  const again = await create(chargeRequest('r-1'));
  expect(again).toEqual({ charge: first.charge, replayed: true });
  const error = await failureOf(create(chargeRequest('r-1', { userProfile: 'user-2' })));
  expect(error).toMatchObject({
    code: 'ALREADY_EXISTS',
    reason: 'REQUEST_ID_REUSED',
    domain: 'charge.v1',
    metadata: { request_id: 'r-1', field: 'user_profile', charge_id: first.charge?.id },
  });
});

test('names every violated field at once and stores nothing', async () => {
  const error = await failureOf(
    create(
      chargeRequest('é', {
        userProfile: '',
        model: '',
        promptTokens: -1n,
        labels: new Map([['team', 'x'.repeat(256)]]),
        usageTime: { seconds: 0n, nanos: 1_000_000_000 },
      }),
    ),
  );
  expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'VALIDATION_FAILED' });
  expect(error.violations.map(({ field, reason }) => `${field} ${reason}`).sort()).toEqual([
    'charge charge.model_required',
    'charge.labels["team"] string.max_len',
    'charge.prompt_tokens int64.gte',
    'charge.usage_time charge.usage_time_range',
    'charge.user_profile string.min_len',
    'request_id string.pattern',
  ]);
  expect(error.violations.every(({ description }) => description !== '')).toBe(true);
  expect(fixture.journal.groups).toEqual([]);
});

test.each([
  ['bytes that end too early', Buffer.from([0x0a, 0x05, 0x01])],
  ['bytes after a tag of 0', Buffer.concat([encoded('r-1'), Buffer.from([0, 1, 2])])],
  ['a group that never ends', Buffer.from([0x0b])],
  ['invalid UTF-8', Buffer.from([0x12, 0x02, 0xc3, 0x28])],
  ['half a surrogate pair as UTF-8', Buffer.from([0x12, 0x03, 0xed, 0xa0, 0x80])],
])('refuses %s as malformed', async (_name, bytes) => {
  const error = await failureOf(callWithBytes(fixture.client, 'CreateCharge', bytes));
  expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'MALFORMED_MESSAGE' });
});

test('U+FFFD itself is a valid character', async () => {
  const { charge } = await create(chargeRequest('r-1', { userProfile: '\uFFFD\uFEFF' }));
  expect(charge?.userProfile).toBe('\uFFFD\uFEFF');
});

test('fields that it does not know are left aside', async () => {
  const bytes = Buffer.concat([encoded('r-1'), Buffer.from([0xfa, 0x7f, 0x01, 0x61])]);
  const response = CreateChargeResponse.decode(await callWithBytes(fixture.client, 'CreateCharge', bytes));
  expect(response.charge?.userProfile).toBe('user-1');
});

test('a message above the limit is refused with both sizes', async () => {
  const error = await failureOf(callWithBytes(fixture.client, 'CreateCharge', Buffer.alloc(1024 * 1024 + 1)));
  expect(error).toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    reason: 'MESSAGE_TOO_LARGE',
    metadata: { limit_bytes: '1048576', size_bytes: '1048577' },
  });
});

test('a text of a megabyte is refused at once, with a trailer that every client takes', async () => {
  const labels = new Map(Array.from({ length: 2000 }, (_, i) => [`${i}${'\0'.repeat(100)}`, '\0']));
  const request = chargeRequest('r-1', { userProfile: '\0'.repeat(700_000), labels });
  expect(await leastCpuMs(() => failureOf(create(request)))).toBeLessThan(500);
  const error = await failureOf(create(request));
  expect(error.reason).toBe('VALIDATION_FAILED');
  expect(error.violations.some(({ field }) => field === 'charge.user_profile')).toBe(true);
  expect(error.violations.at(-1)?.description).toMatch(/^and \d+ more$/);
});

test('the caller gets only the correlation id of an internal error, and the log has no row values', async () => {
  const reported = { code: '23505', severity: 'ERROR' };
  const cause = Object.assign(new Error('insert into charge values secret-row'), reported);
  fixture.journal.failures.push(new Error('wrapper of secret-row', { cause }));
  const error = await failureOf(create(chargeRequest('r-1', { userProfile: 'secret-profile' })));
  expect(error).toMatchObject({ code: 'INTERNAL', reason: 'INTERNAL' });
  const id = error.metadata['correlation_id'];
  expect(id).toMatch(/^[0-9a-f-]{36}$/);
  expect(JSON.stringify(error)).not.toContain('secret');
  expect(fixture.logs).toHaveLength(1);
  expect(fixture.logs[0]).toContain(id);
  expect(fixture.logs[0]).toContain('create-charge.test.ts');
  expect(fixture.logs[0]).toContain('23505');
  expect(fixture.logs[0]).not.toContain('secret');
});

test('an unavailable database is UNAVAILABLE with a time to wait', async () => {
  fixture.journal.failures.push(new ServiceError(databaseUnavailable(1250, 'maybe')));
  const error = await failureOf(create(chargeRequest('r-1')));
  expect(error).toMatchObject({
    code: 'UNAVAILABLE',
    reason: 'DATABASE_UNAVAILABLE',
    retryAfterMs: 1250,
  });
});

test('calls that succeed are counted and not logged', async () => {
  await create(chargeRequest('r-1'));
  await failureOf(create(chargeRequest('')));
  expect(fixture.counts).toEqual([
    'CreateCharge 0',
    'rejected VALIDATION_FAILED',
    'CreateCharge 3',
    'refused VALIDATION_FAILED',
  ]);
  expect(fixture.logs).toEqual([]);
});

test('GetCharge finds by id in any case and by request id', async () => {
  const { charge } = await create(chargeRequest('r-1'));
  const { client } = fixture;
  const id = charge?.id.toUpperCase() ?? '';
  const byId = await call(client, 'getCharge', { key: { $case: 'id', value: id } });
  const byRequestId = await call(client, 'getCharge', { key: { $case: 'requestId', value: 'r-1' } });
  expect([byId.charge, byRequestId.charge]).toEqual([charge, charge]);
});

test('GetCharge says which key was not found, and refuses what is no key', async () => {
  const { client } = fixture;
  const id = '0190A0E0-0000-7000-8000-00000000ABCD';
  const get = (key: Parameters<typeof client.getCharge>[0]['key']) =>
    failureOf(call(client, 'getCharge', { key }));
  expect(await get({ $case: 'id', value: id })).toMatchObject({
    code: 'NOT_FOUND',
    reason: 'CHARGE_NOT_FOUND',
    metadata: { id: id.toLowerCase() },
  });
  expect(await get({ $case: 'requestId', value: 'none' })).toMatchObject({
    reason: 'CHARGE_NOT_FOUND',
    metadata: { request_id: 'none' },
  });
  expect((await get({ $case: 'id', value: 'x' })).violations[0]).toMatchObject({
    field: 'id',
    reason: 'string.uuid',
  });
  expect((await get(undefined)).violations[0]).toMatchObject({ field: 'key', reason: 'required' });
});

test("a read is told the caller's deadline if it comes before the server's own", async () => {
  const { client, journal } = fixture;
  const key = { $case: 'id', value: '0190a0e0-0000-7000-8000-000000000001' } as const;
  await failureOf(call(client, 'getCharge', { key }));
  await failureOf(call(client, 'getCharge', { key }, { deadline: Date.now() + 5000 }));
  await failureOf(call(client, 'getCharge', { key }, { deadline: Date.now() + 900 * 3_600_000 }));
  const [without, near, far] = journal.readOptions.map((options) => options?.timeoutMs);
  expect([without, far]).toEqual([undefined, undefined]);
  expect(near).toBeGreaterThan(3000);
  expect(near).toBeLessThanOrEqual(5000);
});

test('a caller that gives up withdraws what it sent', async () => {
  const { client, journal } = fixture;
  journal.hold();
  let running: { cancel(): void } | undefined;
  const failure = failureOf(
    call(client, 'createCharge', chargeRequest('r-1'), { onCall: (c) => (running = c) }),
  );
  await waitFor('the group', () => journal.heldGroups === 1);
  running?.cancel();
  expect((await failure).code).toBe('CANCELLED');
  await waitFor('the signal', () => journal.signals[0]?.aborted);
  journal.release();
  await waitFor('the count', () => fixture.counts.includes('CreateCharge 1'));
});

function encoded(requestId: string): Buffer {
  return Buffer.from(CreateChargeRequest.encode(chargeRequest(requestId)).finish());
}
