/** What charges cost, by the real catalogue and through the front door: the cost cases of `money-cases.json`. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import type { Charge } from '../../generated/charge/v1/charge.ts';
import { CostStatus, UnpricedReason } from '../../generated/charge/v1/money.ts';
import type { EstimateCostResponse, GetPriceResponse } from '../../generated/charge/v1/price_service.ts';
import { call } from '../support/server.ts';
import { findSharedData } from '../support/shared-data.ts';
import { runCharge } from './support/charge-program.ts';
import {
  chargeOf,
  type CostCase,
  type ImportCase,
  kindOf,
  linesOf,
  priceOf,
  readMoneyCases,
} from './support/money-cases.ts';
import { MoneyClient } from './support/money-client.ts';
import { type MoneyService, startMoneyService } from './support/money-service.ts';

const casesPath = findSharedData('money-cases.json', 'the cost of charges through the front door');
const cataloguePath = findSharedData('litellm-model-prices.json', 'the real catalogue');
const cases = casesPath === undefined ? [] : readMoneyCases(casesPath);
const costCases = cases.filter((one): one is CostCase => one.kind === 'cost' || one.kind === 'reported');
const importCase = cases.find((one): one is ImportCase => one.kind === 'import');

(importCase && cataloguePath !== undefined ? describe : describe.skip)('the real catalogue', () => {
  let service: MoneyService;
  let client: MoneyClient;
  const reports: Record<string, unknown>[] = [];

  beforeAll(async () => {
    service = await startMoneyService();
    client = new MoneyClient(service.address);
    for (let run = 0; run < 2; run++)
      reports.push(await runCharge(service.address, 'prices', 'import', cataloguePath ?? ''));
  });
  afterAll(async () => {
    client.close();
    await service.close();
  });

  /** As the cases count them. */
  const bigintsOf = (report: Record<string, unknown> | undefined): unknown =>
    JSON.parse(JSON.stringify(report), (_, value: unknown) =>
      typeof value === 'number' ? BigInt(value) : value,
    );

  test('P10: the catalogue, imported twice', () => {
    const { second_run, ...first } = importCase?.expected ?? {};
    expect(bigintsOf(reports[0])).toMatchObject(first);
    expect(bigintsOf(reports[1])).toMatchObject(second_run as object);
  });

  test('the file has the cases that this suite was written for', () => {
    expect(costCases.length).toBeGreaterThanOrEqual(33);
  });

  for (const one of costCases)
    test(`${one.id}: ${one.title}`, async () => {
      const { create_price } = one.price_from ?? {};
      if (create_price) await client.createPrice(one.id, priceOf(create_price, one.charge));
      const charge = chargeOf(one.charge);
      const recorded = (await client.createCharge(one.id, charge)).charge;
      const read = await client.getCharge(one.id);
      const estimate = await call<EstimateCostResponse>((callback) =>
        client.prices.estimateCost({ charge }, callback),
      );
      // One cost, whoever is asked; the lines are made for readers.
      expect(recorded?.cost).toEqual(read.cost && { ...read.cost, lines: [] });
      expect(estimate.cost).toEqual(read.cost);
      expectCost(read, one);
      await expectSource(client, read, one);
    });
});

function expectCost({ cost, reportedCost }: Charge, { kind, expected }: CostCase): void {
  const { nanos, unpriced_kinds = [], unpriced_reason } = expected;
  expect(cost).toMatchObject({
    status: CostStatus[`COST_STATUS_${expected.status}`],
    amount: nanos === null ? undefined : { currencyCode: 'USD', nanos },
    unpricedKinds: unpriced_kinds.map(kindOf),
    unpricedReason:
      UnpricedReason[`UNPRICED_REASON_${unpriced_reason ?? 'UNSPECIFIED'}` as keyof typeof UnpricedReason],
    revision: 0,
  });
  // Cases about reported costs name no lines.
  if (kind === 'cost') expect(cost?.lines).toEqual(linesOf(expected));
  expect(reportedCost?.nanos).toBe(expected.reported_nanos);
}

/** The version that made the cost, or that lacks a rate, is the one that the case names. */
async function expectSource(client: MoneyClient, { cost }: Charge, { price_from }: CostCase): Promise<void> {
  const version = cost?.priceVersion ?? 0n;
  if (price_from === null) {
    expect(version).toBe(0n);
    return;
  }
  expect(version).toBeGreaterThan(0n);
  if (price_from.catalogue === undefined) return;
  const { price } = await call<GetPriceResponse>((callback) => client.prices.getPrice({ version }, callback));
  expect(price?.source).toMatch(new RegExp(`^litellm:.*#(openai/)?${price_from.catalogue}$`));
}
