/** The real catalogue against the numbers of case P10, and the rates behind the exact amounts of the cost cases. */

import { beforeAll, describe, expect, test } from '@jest/globals';
import { Provider } from '../../../generated/charge/v1/charge.ts';
import { ServiceTier, UsageKind } from '../../../generated/charge/v1/money.ts';
import { ModelMatch, type RateCard } from '../../../generated/charge/v1/price_service.ts';
import type { PriceFile } from '../../../src/cli/prices/price-file.ts';
import { cardOf } from '../../../src/cli/prices/price-text.ts';
import { convertReal, hasData, readCases, type MoneyCase } from './support/catalogue.ts';

const withData = hasData ? describe : describe.skip;
const cases = hasData ? readCases() : [];

withData('the real catalogue', () => {
  let file: PriceFile;
  beforeAll(() => {
    file = convertReal();
  });

  test('makes the prices of case P10', () => {
    const expected = cases.find(({ id }) => id === 'P10')?.expected;
    const { leftOut, sameAgain, conflicts } = file.notes;
    expect({
      entries: file.entries,
      created: file.prices.length,
      same_again: sameAgain.length,
      conflicts: conflicts.length,
      skipped: Object.fromEntries([...leftOut].map(([reason, names]) => [reason, names.length])),
      second_run: { created: 0, unchanged: file.prices.length },
    }).toEqual(expected);
  });

  test('54 of them are for batches, 87 for a region, and 15 for the names after a prefix', () => {
    const keys = file.prices.map(({ price }) => price.key);
    expect(keys.filter((key) => key?.serviceTier === ServiceTier.SERVICE_TIER_BATCH)).toHaveLength(54);
    expect(keys.filter((key) => key?.region !== '')).toHaveLength(87);
    expect(keys.filter((key) => key?.modelMatch === ModelMatch.MODEL_MATCH_PREFIX)).toHaveLength(15);
  });

  test('14 tiers take rates of tokens from the base', () => {
    expect(file.notes.copied).toHaveLength(14);
    expect(file.notes.copied.every(({ kinds }) => kinds.includes('cache_read'))).toBe(true);
  });

  test('nothing is finer than a rate', () => {
    expect(file.notes.rounded).toEqual([]);
  });

  for (const { id, kind, price_from, charge, expected } of cases) {
    if (kind === 'cost' && price_from?.catalogue !== undefined)
      test(`has the rates of ${id}`, () => {
        const rates = ratesFor(file, charge);
        expect(rates.size).toBeGreaterThan(0);
        for (const line of expected.lines ?? [])
          expect([line.kind, rates.get(line.kind)]).toEqual([line.kind, BigInt(line.nanos_per_million)]);
        for (const missing of expected.unpriced_kinds ?? []) expect(rates.has(missing)).toBe(false);
      });
    else if (kind === 'cost' && price_from === null)
      test(`has no price for ${id}`, () => {
        expect(ratesFor(file, charge).size).toBe(0);
      });
  }
});

/** The rates that apply to a charge, by a search that has nothing in common with the service's. */
function ratesFor(file: PriceFile, charge: MoneyCase['charge']): Map<string, bigint> {
  const found = file.prices.find(({ price: { key } }) => {
    const isPrefix = key?.modelMatch === ModelMatch.MODEL_MATCH_PREFIX;
    return (
      key?.provider === Provider[`PROVIDER_${charge.provider}` as keyof typeof Provider] &&
      key.otherProvider === (charge.other_provider ?? '') &&
      (isPrefix ? charge.model.startsWith(key.model) : charge.model === key.model) &&
      key.region === (charge.region ?? '') &&
      key.serviceTier ===
        ServiceTier[`SERVICE_TIER_${charge.service_tier ?? 'STANDARD'}` as keyof typeof ServiceTier]
    );
  });
  const card = found && cardOf(found.price);
  return new Map(
    ratesOf(card, charge.prompt_tokens).map(({ kind, nanosPerMillion }) => [
      nameOfKind(kind),
      nanosPerMillion,
    ]),
  );
}

function ratesOf(card: RateCard | undefined, promptTokens: number): RateCard['rates'] {
  const [tier] = (card?.tiers ?? [])
    .filter(({ abovePromptTokens }) => promptTokens > abovePromptTokens)
    .sort((a, b) => Number(b.abovePromptTokens - a.abovePromptTokens));
  return tier?.rates ?? card?.rates ?? [];
}

function nameOfKind(kind: UsageKind): string {
  const name = Object.entries(UsageKind).find(([, value]) => value === kind)?.[0] ?? '';
  return name.replace('USAGE_KIND_', '');
}
