/** BatchCreateCharges: items stand alone, results keep their order. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import {
  BatchCreateChargesResponse,
  type CreateChargeRequest,
  Outcome,
} from '../../../generated/charge/v1/charge_service.ts';
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
  summaryOf,
} from '../../grpc/support/server.ts';

let fixture: Fixture;
beforeEach(async () => {
  fixture = await startServer();
});
afterEach(() => fixture.close());

const batch = (requests: CreateChargeRequest[]): Promise<BatchCreateChargesResponse> =>
  call(fixture.client, 'batchCreateCharges', { requests });

test('bad items are refused alone, with what CreateCharge would say, and the order is kept', async () => {
  const bad = chargeRequest('r-2', { userProfile: '', provider: 0 });
  await call(fixture.client, 'createCharge', chargeRequest('r-0'));
  const { results } = await batch([
    chargeRequest('r-1'),
    bad,
    chargeRequest('r-0'),
    chargeRequest('r-0', { userProfile: 'someone else' }),
    { charge: undefined, requestId: '', importId: '' },
    chargeRequest('r-3'),
  ]);
  expect(results.map(({ outcome }) => outcome)).toEqual([
    Outcome.OUTCOME_CREATED,
    Outcome.OUTCOME_REJECTED,
    Outcome.OUTCOME_REPLAYED,
    Outcome.OUTCOME_REJECTED,
    Outcome.OUTCOME_REJECTED,
    Outcome.OUTCOME_CREATED,
  ]);
  expect(results.map(({ charge }) => charge !== undefined)).toEqual([true, false, true, false, false, true]);
  const alone = await failureOf(call(fixture.client, 'createCharge', bad));
  expect(summaryOf(results[1]?.status)).toEqual(alone);
  expect(alone.violations).toHaveLength(2);
  expect(summaryOf(results[3]?.status)).toMatchObject({
    code: 'ALREADY_EXISTS',
    reason: 'REQUEST_ID_REUSED',
  });
  expect(results[0]?.status).toBeUndefined();
  // One call of the recorder for all that could be recorded.
  expect(fixture.journal.groups.map((group) => group.length)).toEqual([1, 4]);
});

test('a batch of bad items only does not reach the recorder', async () => {
  const { results } = await batch([chargeRequest(''), chargeRequest('é')]);
  expect(results).toHaveLength(2);
  expect(fixture.journal.groups).toEqual([]);
});

test('1000 items are taken, 1001 and none are refused as a whole', async () => {
  const items = (n: number) => Array.from({ length: n }, (_, i) => chargeRequest(`r-${i}`));
  expect((await batch(items(1000))).results).toHaveLength(1000);
  expect((await failureOf(batch([]))).violations[0]).toMatchObject({
    field: 'requests',
    reason: 'repeated.min_items',
  });
  const error = await failureOf(batch(items(1001)));
  expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'VALIDATION_FAILED' });
  expect(error.violations[0]).toMatchObject({ field: 'requests', reason: 'repeated.max_items' });
  expect(fixture.journal.entries).toHaveLength(1000);
});

test('two million empty items are refused without being decoded one by one', async () => {
  const bytes = Buffer.alloc(4 * 1024 * 1024);
  for (let i = 0; i < bytes.length; i += 2) bytes[i] = 0x0a;
  const refused = () => failureOf(callWithBytes(fixture.client, 'BatchCreateCharges', bytes));
  expect(await leastCpuMs(refused)).toBeLessThan(1_500);
  expect((await refused()).reason).toBe('VALIDATION_FAILED');
});

test('malformed and oversize batches are refused as a whole', async () => {
  const malformed = await failureOf(
    callWithBytes(fixture.client, 'BatchCreateCharges', Buffer.from([0x0a, 0x02, 0x12, 0x05])),
  );
  expect(malformed.reason).toBe('MALFORMED_MESSAGE');
  const large = await failureOf(
    callWithBytes(fixture.client, 'BatchCreateCharges', Buffer.alloc(4 * 1024 * 1024 + 1)),
  );
  expect(large).toMatchObject({ reason: 'MESSAGE_TOO_LARGE', metadata: { limit_bytes: '4194304' } });
  const larger = await failureOf(
    callWithBytes(fixture.client, 'BatchCreateCharges', Buffer.alloc(6 * 1024 * 1024)),
  );
  expect(larger.code).toBe('RESOURCE_EXHAUSTED');
});

test('the whole batch fails when the database does', async () => {
  fixture.journal.failures.push(new ServiceError(databaseUnavailable(1, 'maybe')));
  expect((await failureOf(batch([chargeRequest('r-1')]))).reason).toBe('DATABASE_UNAVAILABLE');
});

/** An item that breaks every rule that an item can break. */
function breaksEveryRule(i: number): CreateChargeRequest {
  const labels = new Map(Array.from({ length: 17 }, (_, l) => [`\0${l}${'k'.repeat(30)}`, 'é\0'.repeat(50)]));
  return chargeRequest(`é-${i}`, {
    userProfile: '',
    sessionKey: '\0',
    provider: 99 as never,
    otherProvider: 'x',
    chargeType: 99 as never,
    promptTokens: -1n,
    completionTokens: -1n,
    totalTokens: -1n,
    model: '\0',
    reference: '\0'.repeat(300),
    labels,
    usageTime: { seconds: -(2n ** 60n), nanos: -1 },
  });
}

test('1000 items that break every rule are rejected one by one, and the first 100 in full', async () => {
  const { results } = await batch(Array.from({ length: 1000 }, (_, i) => breaksEveryRule(i)));
  expect(results.map(({ outcome }) => outcome)).toEqual(new Array(1000).fill(Outcome.OUTCOME_REJECTED));
  const violations = results.map(({ status }) => summaryOf(status).violations.length);
  expect(Math.min(...violations.slice(0, 100))).toBeGreaterThan(10);
  expect(new Set(violations.slice(100))).toEqual(new Set([1]));
  // What a client of gRPC accepts by default.
  expect(BatchCreateChargesResponse.encode({ results }).finish().length).toBeLessThan(4 * 1024 * 1024);
  expect(fixture.journal.groups).toEqual([]);
  expect(fixture.counts.filter((count) => count === 'rejected VALIDATION_FAILED')).toHaveLength(1000);
  expect(fixture.server.load).toMatchObject({ callsInFlight: 0, requestBytes: 0 });
});

test('other calls are answered while such a batch is checked', async () => {
  const other = fixture.newClient();
  await call(other, 'createCharge', chargeRequest('r-0'));
  const requests = Array.from({ length: 1000 }, (_, i) => breaksEveryRule(i));
  let over = false;
  const done = batch(requests).finally(() => (over = true));
  await waitFor('the first rejection', () => fixture.counts.includes('rejected VALIDATION_FAILED'));
  let answeredBefore = 0;
  for (let i = 1; !over; i++) {
    await call(other, 'createCharge', chargeRequest(`r-${i}`));
    if (!over) answeredBefore++;
  }
  expect(answeredBefore).toBeGreaterThanOrEqual(3);
  await done;
});

test('a caller that is gone stops the check of its batch', async () => {
  let running: { cancel(): void } | undefined;
  const requests = Array.from({ length: 1000 }, (_, i) => breaksEveryRule(i));
  const failure = failureOf(
    call(fixture.client, 'batchCreateCharges', { requests }, { onCall: (c) => (running = c) }),
  );
  await waitFor('the first rejection', () => fixture.counts.includes('rejected VALIDATION_FAILED'));
  running?.cancel();
  expect((await failure).code).toBe('CANCELLED');
  await waitFor('the call to be released', () => fixture.server.load.callsInFlight === 0);
  expect(fixture.counts.filter((count) => count === 'rejected VALIDATION_FAILED').length).toBeLessThan(1000);
});
