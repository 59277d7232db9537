/** Reconcile as a caller sees it. */

import { ChannelCredentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

import {
  FindingKind,
  ReconcileCheck,
  ReconcileRequest,
  type ReconcileResponse,
  SumLevel,
  UsageServiceClient,
} from '../../../generated/charge/v1/usage_service.ts';
import { create, openCorrectionServer, type CorrectionServer } from '../../charges/support/corrections.ts';
import { errorOf, openTestServer, type TestServer } from '../../support/server.ts';
import { actsOf } from '../../tenants/support/audit.ts';

let book: CorrectionServer;
let server: TestServer;
let client: UsageServiceClient;

beforeAll(async () => {
  book = await openCorrectionServer();
  server = await openTestServer(book.url);
  client = new UsageServiceClient(server.address, ChannelCredentials.createInsecure());
  await create(book.client, 'one');
});
afterAll(async () => {
  client.close();
  await server.close();
  await book.close();
});

async function reconcile(request: Partial<ReconcileRequest>): Promise<ReconcileResponse['content'][]> {
  const responses: ReconcileResponse['content'][] = [];
  const stream = client.reconcile({ ...ReconcileRequest.fromPartial({}), ...request });
  for await (const { content } of stream as AsyncIterable<ReconcileResponse>) responses.push(content);
  return responses;
}

const repairs = () => actsOf('UsageService/Reconcile', server.address);

const SUMS = { checks: [ReconcileCheck.RECONCILE_CHECK_SUMS] };
const seconds = (text: string) => ({ seconds: BigInt(Date.parse(text) / 1000), nanos: 0 });

test('the summary is the last response and says what was compared; progress comes before it, to its end', async () => {
  const [progress, end, summary] = await reconcile(SUMS);
  expect(progress).toMatchObject({
    $case: 'progress',
    value: { check: ReconcileCheck.RECONCILE_CHECK_SUMS, done: 0n, total: 1n },
  });
  expect(end).toMatchObject({ $case: 'progress', value: { done: 1n, total: 1n } });
  const check = ReconcileCheck.RECONCILE_CHECK_SUMS;
  const counts = { days: 1n, charges: 1n, events: 0n, messages: 0n };
  const compared = [{ check, ...counts, firstDay: expect.anything(), lastDay: expect.anything() }];
  expect(summary).toEqual({
    $case: 'summary',
    value: { counts: [], drifts: 0n, lastSequence: 1n, tenant: 'default', compared },
  });
});

test('a finding names day, level, sum, expected and found', async () => {
  await book.pool.query(
    `INSERT INTO usage_rollup SELECT (jsonb_populate_record(NULL::usage_rollup, (
       SELECT jsonb_object_agg(attname, 0) FROM pg_attribute WHERE attrelid = 'usage_rollup'::regclass AND attnum > 0
     ) || '{"tenant": "default", "level": 3, "start_time": "2026-09-05T00:00:00Z", "user_profile": "eve", "model": "m",
       "other_provider": "", "region": "", "cost_currency": "EUR", "reported_cost_currency": "", "cost_nanos": 7}')).*`,
  );
  await reconcile(SUMS);
  expect(await repairs()).toEqual([]);
  const responses = await reconcile({ ...SUMS, repair: true });
  expect(responses.filter((response) => response?.$case === 'finding')).toMatchObject([
    {
      value: {
        kind: FindingKind.FINDING_KIND_SUM_DIFFERS,
        check: ReconcileCheck.RECONCILE_CHECK_SUMS,
        repaired: true,
        day: seconds('2026-09-05T00:00:00Z'),
        sumLevel: SumLevel.SUM_LEVEL_USER_DAY,
        sumName: 'cost_nanos',
        currencyCode: 'EUR',
        rows: 1n,
        userProfile: 'eve',
        model: 'm',
        expected: '0',
        found: '7',
        tenant: 'default',
      },
    },
  ]);
  const counts = [{ kind: FindingKind.FINDING_KIND_SUM_DIFFERS, found: 1n, repaired: 1n }];
  expect(responses.at(-1)).toMatchObject({ value: { counts, drifts: 0n } });
  await reconcile({ ...SUMS, repair: true });
  expect(await repairs()).toEqual([['sums', { day: '2026-09-05' }]]);
});

test('a stream that cannot be read is a finding', async () => {
  const responses = await reconcile({});
  expect(responses).toContainEqual({
    $case: 'finding',
    value: expect.objectContaining({ kind: FindingKind.FINDING_KIND_STREAM_UNREADABLE, repaired: false }),
  });
  expect(responses.at(-1)).toMatchObject({ value: { drifts: 1n } });
});

test.each([
  ['an unknown check', { checks: [9 as ReconcileCheck] }],
  ['a check twice', { checks: [1, 1] as ReconcileCheck[] }],
  ['a reversed range', { startTime: seconds('2026-09-05'), endTime: seconds('2026-09-05') }],
])('%s is refused', async (_, request) => {
  expect(await errorOf(reconcile(request))).toMatchObject({
    code: 'INVALID_ARGUMENT',
    reason: 'VALIDATION_FAILED',
  });
});

test('a caller who leaves ends the run, and the next one can begin', async () => {
  const stream = client.reconcile(ReconcileRequest.fromPartial({}));
  stream.on('error', () => undefined);
  stream.once('data', () => stream.cancel());
  await new Promise((resolve) => stream.once('close', resolve));
  let failure: unknown;
  for (let attempt = 0; attempt < 100; attempt++) {
    failure = await reconcile(SUMS).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (failure === undefined) break;
  }
  expect(failure).toBeUndefined();
});
