/**
 * The rules of pricing once more, written for clearness and in another way: a list of versions that is filtered and
 * sorted, and exact fractions. The tests compare the two.
 */

import type { Cost, Price, Rates, Usage } from '../../../src/prices/index.ts';

/** numerator / denominator; the denominator is greater than 0. */
type Fraction = readonly [numerator: bigint, denominator: bigint];

/** What the usage costs by the versions that exist. */
export function slowCostOf(prices: readonly Price[], usage: Usage): Cost {
  const price = slowFind(prices, usage);
  if (price?.basis.kind !== 'alias') return slowCostBy(price, usage);
  const named = slowFind(prices, { ...usage, model: price.basis.model });
  return slowCostBy(named?.basis.kind === 'alias' ? undefined : named, usage);
}

/** The version that applies, before an alias is followed. */
export function slowFind(prices: readonly Price[], usage: Usage): Price | undefined {
  const inForce = prices.filter(
    ({ key, ...price }) =>
      key.provider === usage.provider &&
      key.otherProvider === usage.otherProvider &&
      key.chargeType === usage.chargeType &&
      key.serviceTier === usage.serviceTier &&
      (key.region === '' || key.region === usage.region) &&
      modelRank(key.model, key.modelMatch === 2, usage.model) >= 0 &&
      price.effectiveTimeMicros <= usage.usageTimeMicros,
  );
  return inForce.toSorted(
    (a, b) =>
      modelRank(b.key.model, b.key.modelMatch === 2, usage.model) -
        modelRank(a.key.model, a.key.modelMatch === 2, usage.model) ||
      b.key.region.length - a.key.region.length ||
      Number(b.effectiveTimeMicros - a.effectiveTimeMicros) ||
      b.version - a.version,
  )[0];
}

/** Greater is better; below 0: no match. A prefix ranks by its length, an equal model above all prefixes. */
function modelRank(pattern: string, isPrefix: boolean, model: string): number {
  if (isPrefix) return model.startsWith(pattern) && model !== pattern ? pattern.length : -1;
  if (pattern === model) return Number.MAX_SAFE_INTEGER;
  return pattern === '' ? 0 : -1;
}

function slowCostBy(price: Price | undefined, usage: Usage): Cost {
  const none = { costNanos: undefined, costCurrency: '', unpricedKinds: 0 };
  if (price === undefined) return { ...none, priceVersion: 0, unpricedReason: 1 };
  const unpriced = { ...none, priceVersion: price.version };
  const { basis } = price;
  if (basis.kind === 'withdrawn') return { ...unpriced, unpricedReason: 3 };
  if (basis.kind === 'reported') {
    if (usage.reportedCost === undefined) return { ...unpriced, unpricedReason: 4 };
    const { nanos, currencyCode } = usage.reportedCost;
    return { ...unpriced, costNanos: nanos, costCurrency: currencyCode, unpricedReason: 0 };
  }
  if (basis.kind === 'alias') throw new Error('an alias has no cost of its own');
  const exceeded = basis.card.tiers.filter((tier) => usage.promptTokens > tier.abovePromptTokens);
  const highest = exceeded.toSorted((a, b) => (a.abovePromptTokens < b.abovePromptTokens ? 1 : -1))[0];
  const rates = highest?.rates ?? basis.card.rates;
  const counts = slowCounts(usage, rates);
  const missing = [...counts.keys()].filter((kind) => !rates.has(kind));
  if (missing.length > 0) {
    return {
      ...unpriced,
      unpricedReason: 2,
      unpricedKinds: missing.reduce((sum, kind) => sum + 2 ** kind, 0),
    };
  }
  const lines = [...counts].map(([kind, count]) =>
    roundHalfEven([count * (rates.get(kind) ?? 0n), 1_000_000n]),
  );
  const costNanos = lines.reduce((sum, line) => sum + line, 0n);
  if (costNanos >= 2n ** 63n) return { ...unpriced, unpricedReason: 5 };
  return { ...unpriced, costNanos, costCurrency: basis.card.currencyCode, unpricedReason: 0 };
}

/** Gives every token of the charge away, one kind after the other, until none is left. */
function slowCounts(usage: Usage, rates: Rates): Map<number, bigint> {
  const details = usage.tokenDetails;
  const counts = new Map(usage.quantities);
  const giveAway = (
    total: bigint,
    parts: readonly [kind: number, wanted: bigint | undefined][],
    rest: number,
  ) => {
    let left = total;
    for (const [kind, wanted = 0n] of parts) {
      const given = wanted > left ? left : wanted;
      counts.set(kind, (counts.get(kind) ?? 0n) + given);
      left -= given;
    }
    counts.set(rest, (counts.get(rest) ?? 0n) + left);
  };
  giveAway(
    usage.promptTokens,
    [
      [3, details?.cacheReadTokens],
      [4, details?.cacheWrite5mTokens],
      [5, details?.cacheWrite1hTokens],
      [7, details?.audioInputTokens],
      [10, details?.imageInputTokens],
    ],
    1,
  );
  giveAway(
    usage.completionTokens,
    [
      [rates.has(6) ? 6 : 2, details?.reasoningTokens],
      [8, details?.audioOutputTokens],
      [11, details?.imageOutputTokens],
    ],
    2,
  );
  if (rates.has(9)) counts.set(9, 1n);
  return new Map([...counts].filter(([, count]) => count !== 0n));
}

/** The nearest integer to a fraction that is at least 0; of two, the even one. */
function roundHalfEven([numerator, denominator]: Fraction): bigint {
  const below = numerator / denominator;
  const distance = (integer: bigint) => {
    const difference = integer * denominator - numerator;
    return difference < 0n ? -difference : difference;
  };
  const [down, up] = [distance(below), distance(below + 1n)];
  if (down !== up) return down < up ? below : below + 1n;
  return below % 2n === 0n ? below : below + 1n;
}
