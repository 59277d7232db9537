/** ExportCharges: what it delivers, how it goes on, and how it ends. */

import type { ClientReadableStream } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from '@jest/globals';

import {
  ChargeFilter,
  ExportChargesRequest,
  ExportChargesResponse,
} from '../../../generated/charge/v1/charge_service.ts';
import { databaseUnavailable, ServiceError } from '../../../src/errors/failure.ts';
import { call, chargeRequest, errorOf, type Fixture, startServer } from '../../grpc/support/server.ts';
import { waitFor } from '../../support/wait-for.ts';

let fixture: Fixture;
beforeEach(async () => {
  fixture = await startServer();
});
afterEach(() => fixture.close());

function open(
  request: Partial<Omit<ExportChargesRequest, 'filter'>> & { filter?: Partial<ChargeFilter> } = {},
): ClientReadableStream<ExportChargesResponse> {
  const { filter, ...rest } = request;
  return fixture.client.exportCharges({
    ...ExportChargesRequest.fromPartial({}),
    ...rest,
    filter: filter && { ...ChargeFilter.fromPartial({}), ...filter },
  });
}

/** Every response of an export. */
async function all(...args: Parameters<typeof open>): Promise<ExportChargesResponse[]> {
  const responses: ExportChargesResponse[] = [];
  for await (const response of open(...args) as AsyncIterable<ExportChargesResponse>)
    responses.push(response);
  return responses;
}

const failure = async (...args: Parameters<typeof open>) =>
  errorOf(
    await all(...args).then(
      () => undefined,
      (error: unknown) => error,
    ),
  );

const idsOf = (responses: readonly ExportChargesResponse[]): string[] =>
  responses.flatMap(({ charges }) => charges.map(({ requestId }) => requestId));

async function record(count: number, charge: Parameters<typeof chargeRequest>[1] = {}): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, i) => `r-${i}`);
  for (let from = 0; from < count; from += 500) {
    const requests = ids.slice(from, from + 500).map((id) => chargeRequest(id, charge));
    await call(fixture.client, 'batchCreateCharges', { requests });
  }
  return ids;
}

test('delivers every charge once, the oldest usage first, with its request id', async () => {
  const ids = await record(1234);
  const responses = await all();
  expect(idsOf(responses)).toEqual(ids);
  expect(responses[0]?.charges[0]?.charge?.id).toBe(fixture.journal.entries[0]?.charge.id);
  // Only the last response has no token.
  expect(responses.map(({ resumeToken }) => resumeToken === '')).toEqual([false, false, true]);
});

test('an export of nothing is one response without a token', async () => {
  expect(await all()).toEqual([{ charges: [], resumeToken: '' }]);
});

test('goes on after any response', async () => {
  const ids = await record(1100);
  const [first, second] = await all();
  expect(idsOf(await all({ resumeToken: first?.resumeToken ?? '' }))).toEqual(ids.slice(500));
  expect(idsOf(await all({ resumeToken: second?.resumeToken ?? '' }))).toEqual(ids.slice(1000));
});

test('a token belongs to its filter and to this method', async () => {
  await record(600);
  const [first] = await all({ filter: { model: 'm' } });
  const resumeToken = first?.resumeToken ?? '';
  const wrong = { code: 'INVALID_ARGUMENT', reason: 'PAGE_TOKEN_INVALID' };
  expect(await failure({ resumeToken })).toMatchObject(wrong);
  expect(await failure({ resumeToken, filter: { model: 'n' } })).toMatchObject(wrong);
  expect(await failure({ resumeToken, filter: { model: 'm' }, includeCorrected: true })).toMatchObject(wrong);
  const page = await call(fixture.client, 'listCharges', {
    pageSize: 10,
    pageToken: '',
    filter: undefined,
    order: 2,
    includeCorrected: false,
  });
  expect(await failure({ resumeToken: page.nextPageToken })).toMatchObject(wrong);
  // Lines do not change which charges come.
  expect(await all({ resumeToken, filter: { model: 'm' }, includeCostLines: true })).toHaveLength(1);
});

test('refuses what breaks the rules of the contract', async () => {
  const broken = await failure({ resumeToken: 'x'.repeat(1025) });
  expect(broken).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'VALIDATION_FAILED' });
});

test('large charges come in small responses, each with a token of its own', async () => {
  const labels = new Map(Array.from({ length: 16 }, (_, i) => [`label-${i}`, 'ß'.repeat(255)]));
  const ids = await record(400, { labels });
  const responses = await all();
  expect(idsOf(responses)).toEqual(ids);
  expect(responses.length).toBeGreaterThan(5);
  for (const response of responses)
    expect(ExportChargesResponse.encode(response).finish().length).toBeLessThan(1024 * 1024);
  const [, second] = responses;
  const rest = await all({ resumeToken: second?.resumeToken ?? '' });
  expect(idsOf(rest)).toEqual(idsOf(responses.slice(2)));
});

test('reads no further than the caller', async () => {
  const labels = new Map(Array.from({ length: 16 }, (_, i) => [`label-${i}`, 'x'.repeat(255)]));
  const ids = await record(2000, { labels });
  const stream = open();
  stream.pause();
  await waitFor('the first page', () => fixture.journal.queries.length > 0);
  await call(fixture.client, 'getCharge', { key: { $case: 'requestId', value: 'r-0' } });
  const before = fixture.journal.queries.length;
  expect(before).toBeLessThan(4);
  const responses: ExportChargesResponse[] = [];
  for await (const response of stream as AsyncIterable<ExportChargesResponse>) responses.push(response);
  expect(idsOf(responses)).toEqual(ids);
  expect(fixture.journal.queries.length).toBe(4);
});

test('few exports are open at a time', async () => {
  const release = fixture.journal.holdReads();
  const eight = Array.from({ length: 8 }, () => all());
  await waitFor('all of them', () => fixture.journal.queries.length === 8);
  expect(fixture.server.load).toMatchObject({ exportStreams: 8, watchStreams: 0 });
  expect(await failure()).toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    reason: 'OVERLOADED',
    metadata: { limit: 'open_exports' },
    retryAfterMs: 1500,
  });
  release();
  await Promise.all(eight);
  await waitFor('the places', () => fixture.server.load.exportStreams === 0);
  expect(await all()).toHaveLength(1);
});

test('ends when the caller cancels, and when the server drains', async () => {
  const release = fixture.journal.holdReads();
  const cancelled = open();
  const ended = new Promise((resolve) => cancelled.on('error', resolve));
  cancelled.resume();
  await waitFor('its page', () => fixture.journal.queries.length === 1);
  cancelled.cancel();
  expect(errorOf(await ended).code).toBe('CANCELLED');
  const drained = failure();
  await waitFor('its page', () => fixture.journal.queries.length === 2);
  const done = fixture.server.drain(5000);
  expect(await drained).toMatchObject({ code: 'UNAVAILABLE', reason: 'SHUTTING_DOWN' });
  release();
  await done;
  expect(fixture.server.load.exportStreams).toBe(0);
});

test('ends with what the database says', async () => {
  fixture.journal.failures.push(new ServiceError(databaseUnavailable(1, 'nothing')));
  expect((await failure()).reason).toBe('DATABASE_UNAVAILABLE');
});
