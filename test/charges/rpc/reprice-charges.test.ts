/** RepriceCharges, EstimateCost and ListUnpricedUsage through the front door. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { Charge } from '../../../generated/charge/v1/charge.ts';
import {
  ChargeFilter,
  type ChargeServiceClient,
  type CreateChargeResponse,
  type GetChargeResponse,
  type WatchChargesResponse,
} from '../../../generated/charge/v1/charge_service.ts';
import { CostStatus, UnpricedReason, UsageKind } from '../../../generated/charge/v1/money.ts';
import {
  type EstimateCostResponse,
  type ListUnpricedUsageResponse,
  RepriceChargesRequest,
  type RepriceChargesResponse,
} from '../../../generated/charge/v1/price_service.ts';
import { at, card, openPriceFixture, type PriceFixture, priceRequest } from '../../prices/support/client.ts';
import { call, createRequest, errorOf } from '../../support/server.ts';
import { actsOf } from '../../tenants/support/audit.ts';
import { waitFor } from '../../support/wait-for.ts';

let fixture: PriceFixture;
let charges: ChargeServiceClient;
beforeAll(async () => {
  fixture = await openPriceFixture();
  charges = fixture.servers[0]!.client;
});
afterAll(() => fixture.close());

const MODEL = 'gpt-5.6-sol';
const START = at('2026-08-01T00:00:00Z');
const END = at('2026-10-01T00:00:00Z');
const USAGE = at('2026-08-25T00:00:00Z');
/** Input, cache read, output. */
const OLD = card({ 1: 5_000_000_000n, 3: 500_000_000n, 2: 30_000_000_000n });
const NEW = card({ 1: 4_000_000_000n, 3: 400_000_000n, 2: 20_000_000_000n });

function usageOf(model = MODEL): Partial<Charge> {
  const cached = Charge.fromPartial({ tokenDetails: { cacheReadTokens: 6000n } });
  const { tokenDetails } = cached;
  return { model, promptTokens: 10_000n, completionTokens: 1000n, tokenDetails, usageTime: USAGE };
}

const record = (requestId: string, charge: Partial<Charge> = usageOf()): Promise<CreateChargeResponse> =>
  call((done) => charges.createCharge(createRequest(requestId, charge), done));

const costOf = async (requestId: string) => {
  const key = { $case: 'requestId' as const, value: requestId };
  const { charge } = await call<GetChargeResponse>((done) => charges.getCharge({ key }, done));
  const { amount, priceVersion, revision } = charge!.cost!;
  return { nanos: amount?.nanos, priceVersion, revision };
};

const reprice = (request: Partial<RepriceChargesRequest> = {}): Promise<RepriceChargesResponse> =>
  call((done) =>
    fixture.client.raw.repriceCharges(
      {
        ...RepriceChargesRequest.fromPartial({
          filter: { model: MODEL, startTime: START, endTime: END },
          reason: 'prices of August',
          runId: 'august',
        }),
        ...request,
      },
      done,
    ),
  );

const estimate = (charge: Partial<Charge>): Promise<EstimateCostResponse> =>
  call((done) => fixture.client.raw.estimateCost({ charge: createRequest('any', charge).charge }, done));

const unpriced = (): Promise<ListUnpricedUsageResponse> =>
  call((done) => fixture.client.raw.listUnpricedUsage({ startTime: START, endTime: undefined }, done));

test('a price with an effective time in the past changes no cost by itself; a reprice does, on record', async () => {
  const watched: WatchChargesResponse[] = [];
  const watch = charges.watchCharges({
    startSequence: 1n,
    filter: ChargeFilter.fromPartial({ model: MODEL }),
  });
  watch.on('data', (event: WatchChargesResponse) => watched.push(event)).on('error', () => undefined);
  const add = (id: string, from: string, basis: typeof OLD, allowPast = false) =>
    fixture.client.create(priceRequest(id, { key: { model: MODEL }, from: at(from), basis, allowPast }));

  await add('1', '2026-01-01T00:00:00Z', OLD);
  await record('f');
  expect(await errorOf(add('2', '2026-08-21T00:00:00Z', NEW))).toMatchObject({
    reason: 'EFFECTIVE_TIME_PAST',
  });
  await add('2', '2026-08-21T00:00:00Z', NEW, true);
  expect(await costOf('f')).toEqual({ nanos: 53_000_000n, priceVersion: 1n, revision: 0 });
  await record('g');
  expect(await costOf('g')).toEqual({ nanos: 38_400_000n, priceVersion: 2n, revision: 0 });

  const usd = (nanos: bigint) => ({ currencyCode: 'USD', nanos });
  const expected = {
    matchedCharges: 2n,
    changedCharges: 1n,
    unpricedCharges: 0n,
    amounts: [{ before: usd(91_400_000n), after: usd(76_800_000n) }],
    nextPageToken: '',
  };
  const all = { includePriced: true };
  expect(await reprice({ ...all, dryRun: true, runId: '', reason: '' })).toEqual({
    ...expected,
    lastSequence: 0n,
  });
  expect(await costOf('f')).toEqual({ nanos: 53_000_000n, priceVersion: 1n, revision: 0 });
  expect(await runsOf()).toEqual([]);
  expect(await reprice(all)).toEqual({ ...expected, lastSequence: 3n });
  expect(await costOf('f')).toEqual({ nanos: 38_400_000n, priceVersion: 2n, revision: 1 });
  expect(await reprice(all)).toMatchObject({ matchedCharges: 2n, changedCharges: 0n, lastSequence: 0n });
  expect((await record('f')).charge?.cost?.amount?.nanos).toBe(38_400_000n);

  await waitFor('three events', () => watched.length === 3);
  watch.cancel();
  expect(watched[2]?.event).toMatchObject({
    $case: 'chargeRepriced',
    value: {
      sequence: 3n,
      runId: 'august',
      previousCost: { amount: usd(53_000_000n), revision: 0 },
      charge: { cost: { amount: usd(38_400_000n), revision: 1, priceVersion: 2n } },
    },
  });
});

const runsOf = () => actsOf('PriceService/RepriceCharges', fixture.servers[0]?.address ?? '');

test('a page token continues a reprice, and no other one', async () => {
  const filter = ChargeFilter.fromPartial({ model: 'paged', startTime: START, endTime: END });
  for (const id of ['p1', 'p2', 'p3']) await record(id, usageOf('paged'));
  const query = { filter, runId: 'paged', maxCharges: 2 };
  const first = await reprice(query);
  expect(first).toMatchObject({ matchedCharges: 2n, unpricedCharges: 2n, changedCharges: 0n });
  const pageToken = first.nextPageToken;
  expect(await reprice({ ...query, pageToken })).toMatchObject({ matchedCharges: 1n, nextPageToken: '' });
  for (const other of [{ includePriced: true }, { filter: { ...filter, model: 'other' } }]) {
    expect(await errorOf(reprice({ ...query, ...other, pageToken }))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      reason: 'PAGE_TOKEN_INVALID',
    });
  }
});

test('a run has one entry in the audit log, from its first page that changes something on, and without its words', async () => {
  for (const id of ['a1', 'a2', 'a3']) await record(id, usageOf('audited'));
  const filter = ChargeFilter.fromPartial({
    model: 'audited',
    userProfile: 'alice',
    startTime: START,
    endTime: END,
  });
  const run = { filter, runId: 'audited-run', maxCharges: 1, reason: 'alice has asked' };
  const audited = async () => (await runsOf()).filter(([target]) => target === run.runId);
  expect(await reprice(run)).toMatchObject({ changedCharges: 0n });
  expect(await audited()).toEqual([]);
  const options = { key: { model: 'audited' }, from: START, allowPast: true };
  await fixture.client.create(priceRequest('audited', options));
  for (let pageToken = '', pages = 0; pages === 0 || pageToken !== ''; pages++) {
    const page = await reprice({ ...run, pageToken });
    expect(page.changedCharges).toBe(1n);
    pageToken = page.nextPageToken;
  }
  await reprice({ ...run, includePriced: false });
  const details = {
    start_time: '2026-08-01T00:00:00.000000+00',
    end_time: '2026-10-01T00:00:00.000000+00',
    include_priced: 'false',
    filters: 'user_profile, model',
  };
  expect(await audited()).toEqual([[run.runId, details]]);
});

test('a reprice needs a time range, and a name and a reason if it records', async () => {
  const open = ChargeFilter.fromPartial({ startTime: START });
  for (const [request, rule] of [
    [{ filter: undefined }, 'required'],
    [{ filter: open }, 'reprice_charges.time_range_required'],
    [{ reason: '' }, 'reprice_charges.reason_required'],
    [{ runId: '' }, 'reprice_charges.run_id_required'],
    [{ maxCharges: 10_001 }, 'int32.gte_lte'],
  ] as const) {
    const error = await errorOf(reprice(request));
    expect(error.reason).toBe('VALIDATION_FAILED');
    expect(error.violations.map((violation) => violation.rule)).toContain(rule);
  }
});

test('an estimate is the cost that the charge then has, with its lines, and stores nothing', async () => {
  const basis = card({ 1: 2_500_000_000n, 2: 10_000_000_000n, 3: 1_250_000_000n });
  await fixture.client.create(priceRequest('estimated', { key: { model: 'estimated' }, from: START, basis }));
  const before = await fixture.stored();
  const { cost } = await estimate(usageOf('estimated'));
  expect(cost).toMatchObject({
    status: CostStatus.COST_STATUS_PRICED,
    amount: { currencyCode: 'USD', nanos: 27_500_000n },
    revision: 0,
    lines: [
      {
        kind: UsageKind.USAGE_KIND_INPUT,
        quantity: 4000n,
        nanosPerMillion: 2_500_000_000n,
        nanos: 10_000_000n,
      },
      { kind: UsageKind.USAGE_KIND_OUTPUT, quantity: 1000n, nanos: 10_000_000n },
      { kind: UsageKind.USAGE_KIND_CACHE_READ, quantity: 6000n, nanos: 7_500_000n },
    ],
  });
  expect(await fixture.stored()).toEqual(before);
  expect((await record('estimated', usageOf('estimated'))).charge?.cost).toEqual({ ...cost, lines: [] });
});

test('an estimate says why there is no cost, and refuses what CreateCharge refuses', async () => {
  expect((await estimate(usageOf('nobody'))).cost).toMatchObject({
    status: CostStatus.COST_STATUS_UNPRICED,
    unpricedReason: UnpricedReason.UNPRICED_REASON_NO_PRICE,
    amount: undefined,
    lines: [],
  });
  const error = await errorOf(estimate({ ...usageOf(), promptTokens: -1n }));
  expect(error.reason).toBe('VALIDATION_FAILED');
  expect(error.violations.map(({ field }) => field)).toContain('charge.prompt_tokens');
  const missing = call((done) => fixture.client.raw.estimateCost({ charge: undefined }, done));
  expect(await errorOf(missing)).toMatchObject({ violations: [{ field: 'charge', rule: 'required' }] });
});

test('what has no cost is listed by what a price would need to name', async () => {
  await fixture.client.create(
    priceRequest('partly', { key: { model: 'partly' }, from: START, basis: card({ 1: 1n }) }),
  );
  const before = await unpriced();
  for (const id of ['u1', 'u2', 'u3', 'u4']) await record(id, usageOf('partly'));
  const { usages, unpricedCharges, pricedCharges, truncated } = await unpriced();
  expect(usages[0]).toMatchObject({
    model: 'partly',
    reason: UnpricedReason.UNPRICED_REASON_MISSING_RATE,
    kinds: [UsageKind.USAGE_KIND_OUTPUT, UsageKind.USAGE_KIND_CACHE_READ],
    charges: 4n,
    firstUsageTime: USAGE,
    lastUsageTime: USAGE,
  });
  expect(unpricedCharges).toBe(before.unpricedCharges + 4n);
  expect(pricedCharges).toBe(before.pricedCharges);
  expect(truncated).toBe(false);
});
