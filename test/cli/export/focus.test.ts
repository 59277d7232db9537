/** Rows of FOCUS: one for each line of a cost, and nothing is made up. */

import { expect, test } from '@jest/globals';
import { parse } from 'csv-parse/sync';

import { Charge, ChargeType, Provider } from '../../../generated/charge/v1/charge.ts';
import { Cost, CostStatus, UnpricedReason, UsageKind } from '../../../generated/charge/v1/money.ts';
import { lineFormat } from '../../../src/cli/export/format.ts';

const format = lineFormat('focus');

function rowsOf(charge: Partial<Charge>): Record<string, string>[] {
  const whole: Charge = {
    ...Charge.fromPartial({}),
    id: '0190a0e0-0000-7000-8000-000000000001',
    userProfile: 'ann',
    provider: Provider.PROVIDER_ANTHROPIC,
    chargeType: ChargeType.CHARGE_TYPE_COMPLETION,
    model: 'claude',
    usageTime: { seconds: 1_798_761_599n, nanos: 999_999_000 },
    ...charge,
  };
  return parse(format.head + format.lines([{ requestId: 'r-1', charge: whole }]), { columns: true });
}

function priced(nanos: bigint, lines: [UsageKind, bigint, bigint, bigint][]): Cost {
  return {
    ...Cost.fromPartial({}),
    status: CostStatus.COST_STATUS_PRICED,
    amount: { currencyCode: 'USD', nanos },
    priceVersion: 7n,
    lines: lines.map(([kind, quantity, nanosPerMillion, cost]) => ({
      kind,
      quantity,
      nanosPerMillion,
      nanos: cost,
    })),
  };
}

test('a row for each line, with the token properties of the drafts of 1.5', () => {
  const rows = rowsOf({
    cost: priced(3_600_001n, [
      [UsageKind.USAGE_KIND_CACHE_READ, 2000n, 300_000_000n, 600_000n],
      [UsageKind.USAGE_KIND_OUTPUT, 200n, 15_000_000_000n, 3_000_000n],
      [UsageKind.USAGE_KIND_INPUT_MILLISECOND, 1500n, 1n, 1n],
    ]),
  });
  expect(rows).toMatchObject([
    {
      BilledCost: '0.0006',
      ConsumedQuantity: '2000',
      PricingQuantity: '0.002',
      ListUnitPrice: '0.3',
      SkuMeter: 'Cache Read Input Tokens',
      SkuId: 'Anthropic/claude/CACHE_READ',
      SkuPriceId: '7/CACHE_READ',
      x_TokenCacheAction: 'Read',
      x_TokenDirection: 'Input',
    },
    { BilledCost: '0.003', SkuMeter: 'Output Tokens', x_TokenCacheAction: '', x_TokenDirection: 'Output' },
    {
      BilledCost: '0.000000001',
      ConsumedQuantity: '1.5',
      ConsumedUnit: 'Seconds',
      PricingQuantity: '0.0015',
      PricingUnit: '1000 Seconds',
      x_TokenDirection: '',
    },
  ]);
  expect(JSON.parse(rows[0]?.['SkuPriceDetails'] ?? '')).toEqual({
    x_ModelId: 'claude',
    x_ServiceTier: 'UNSPECIFIED',
    x_TokenCacheAction: 'Read',
    x_TokenDirection: 'Input',
  });
});

test('the periods are the second and the calendar month of the usage in UTC', () => {
  expect(rowsOf({})[0]).toMatchObject({
    ChargePeriodStart: '2026-12-31T23:59:59Z',
    ChargePeriodEnd: '2027-01-01T00:00:00Z',
    BillingPeriodStart: '2026-12-01T00:00:00Z',
    BillingPeriodEnd: '2027-01-01T00:00:00Z',
    x_UsageTime: '2026-12-31T23:59:59.999999Z',
  });
  expect(rowsOf({ usageTime: { seconds: -62_135_596_800n, nanos: 0 } })[0]).toMatchObject({
    ChargePeriodStart: '0001-01-01T00:00:00Z',
    BillingPeriodEnd: '0001-02-01T00:00:00Z',
  });
});

test('a reported cost has one row without a price, an unpriced charge one without a cost', () => {
  const noPrice = { ListUnitPrice: '', SkuId: '', SkuPriceId: '', SkuPriceDetails: '', PricingCategory: '' };
  expect(rowsOf({ cost: priced(5n, []), totalTokens: 9n })).toMatchObject([
    { ...noPrice, BilledCost: '0.000000005', BillingCurrency: 'USD', ConsumedQuantity: '9' },
  ]);
  const cost = {
    ...Cost.fromPartial({}),
    status: CostStatus.COST_STATUS_UNPRICED,
    unpricedReason: UnpricedReason.UNPRICED_REASON_NO_PRICE,
  };
  expect(rowsOf({ cost, provider: Provider.PROVIDER_OTHER, otherProvider: 'me' })).toMatchObject([
    {
      ...noPrice,
      BilledCost: '',
      BillingCurrency: '',
      ConsumedQuantity: '',
      ConsumedUnit: '',
      ServiceProviderName: 'me',
      x_CostStatus: 'UNPRICED',
      x_UnpricedReason: 'NO_PRICE',
    },
  ]);
});

test('every kind of usage has a meter, and the columns are in alphabetical order', () => {
  for (const kind of Object.values(UsageKind).filter((one) => one > 0))
    expect(rowsOf({ cost: priced(1n, [[kind, 1n, 1n, 1n]]) })[0]?.['SkuMeter']).not.toBe('');
  const names = format.head.trim().split(',');
  const own = names.filter((name) => !name.startsWith('x_'));
  expect(names).toEqual([...own.toSorted(), ...names.filter((name) => name.startsWith('x_')).toSorted()]);
});
