/** Lists of price versions. */

import type { Price, PriceKey } from './price.ts';

/** Which versions are meant. */
export interface PriceFilter {
  /** 0: any. */
  readonly provider: number;
  readonly modelPrefix: string;
  /** The versions that are in force at this moment; undefined: all versions. */
  readonly effectiveAtMicros: bigint | undefined;
}

/**
 * The versions that are meant, the latest first: at most `limit`, and only those before the version `before`. `prices`
 * are all versions up to one, in the order of their numbers.
 */
export function listPrices(
  prices: readonly Price[],
  { provider, modelPrefix, effectiveAtMicros }: PriceFilter,
  before: number,
  limit: number,
): Price[] {
  const wanted = prices.filter(
    ({ key }) => (provider === 0 || key.provider === provider) && key.model.startsWith(modelPrefix),
  );
  const listed = effectiveAtMicros === undefined ? wanted : inForce(wanted, effectiveAtMicros);
  return listed
    .filter(({ version }) => version < before)
    .sort((a, b) => b.version - a.version)
    .slice(0, limit);
}

function inForce(prices: readonly Price[], atMicros: bigint): Price[] {
  const byKey = new Map<string, Price>();
  for (const price of prices) {
    if (price.effectiveTimeMicros > atMicros) continue;
    const key = textOf(price.key);
    const other = byKey.get(key);
    // The prices come in the order of their numbers: of equal times the later one is in force.
    if (other === undefined || other.effectiveTimeMicros <= price.effectiveTimeMicros) byKey.set(key, price);
  }
  return [...byKey.values()];
}

function textOf(key: PriceKey): string {
  return JSON.stringify([
    key.provider,
    key.otherProvider,
    key.chargeType,
    key.model,
    key.modelMatch,
    key.serviceTier,
    key.region,
  ]);
}
