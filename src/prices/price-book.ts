/** A tenant's price versions in memory: which one prices a charge, and what the charge costs. */

import { costByCard } from './cost.ts';
import { PriceIndex } from './price-index.ts';
import {
  type Cost,
  type CostLine,
  type Price,
  type PriceKey,
  UnpricedReason,
  type Usage,
  type UsageKey,
} from './price.ts';

/** All price versions of a tenant up to {@link PriceBook.version}. It only grows. */
export class PriceBook {
  readonly #prices: Price[] = [];
  readonly #index = new PriceIndex();

  /** The number of the latest version; 0: there is none. */
  get version(): number {
    return this.#prices.length;
  }

  /**
   * Adds versions in the order of their numbers. Those that it has already are skipped. Throws if a version between
   * is missing, because charges would get wrong prices.
   */
  add(prices: readonly Price[]): void {
    for (const price of prices) {
      if (price.version <= this.version) continue;
      if (price.version !== this.version + 1) {
        throw new RangeError(`price version ${this.version + 1} is missing before ${price.version}`);
      }
      this.#prices.push(price);
      this.#index.add(price);
    }
  }

  /** A book of its own with the same versions. */
  copy(): PriceBook {
    const copy = new PriceBook();
    copy.add(this.#prices);
    return copy;
  }

  /** The version with this number, if there is one. */
  get(version: number): Price | undefined {
    return this.#prices[version - 1];
  }

  /** All versions, in the order of their numbers. */
  all(): readonly Price[] {
    return this.#prices;
  }

  /** The versions of one key, by effective time and then number. */
  versionsOf(key: PriceKey): readonly Price[] {
    return this.#index.versionsOf(key);
  }

  /** The version of exactly this key that is in force at a moment. */
  inForce(key: PriceKey, atMicros: bigint): Price | undefined {
    return this.#index.inForce(key, atMicros);
  }

  /** The version that prices usage of this model, before an alias is followed. */
  find(usage: UsageKey): Price | undefined {
    return this.#index.find(usage, usage.model);
  }

  /** What the usage costs by the version that is in force at its usage time. */
  costOf(usage: Usage): Cost {
    return this.#costBy(this.find(usage), usage);
  }

  /** What the usage costs by this version, whichever is in force. Throws if the version is not in the book. */
  costWith(version: number, usage: Usage): Cost {
    return this.#costBy(this.#known(version), usage);
  }

  /**
   * How the cost by this version is made up, in the order of the kinds. Empty if the version has no rates or the
   * usage has no cost by it. Throws if the version is not in the book.
   */
  linesWith(version: number, usage: Usage): readonly CostLine[] {
    const { basis } = this.#known(version);
    if (basis.kind !== 'rate_card') return [];
    const cost = costByCard(basis.card, usage);
    return typeof cost === 'object' && 'lines' in cost ? cost.lines : [];
  }

  #known(version: number): Price {
    const price = this.get(version);
    if (price === undefined) throw new RangeError(`price version ${version} is not loaded`);
    return price;
  }

  #costBy(found: Price | undefined, usage: Usage): Cost {
    const price = found?.basis.kind === 'alias' ? this.#index.find(usage, found.basis.model) : found;
    switch (price?.basis.kind) {
      case 'rate_card':
        return cardCost(price.version, price.basis.card.currencyCode, costByCard(price.basis.card, usage));
      case 'reported':
        return usage.reportedCost === undefined
          ? unpriced(price.version, UnpricedReason.NO_REPORTED_COST)
          : priced(price.version, usage.reportedCost.currencyCode, usage.reportedCost.nanos);
      case 'withdrawn':
        return unpriced(price.version, UnpricedReason.WITHDRAWN);
      // No price, or an alias that names nothing with a price, or another alias: it is followed once.
      default:
        return unpriced(0, UnpricedReason.NO_PRICE);
    }
  }
}

function cardCost(version: number, currency: string, cost: ReturnType<typeof costByCard>): Cost {
  if (cost === 'out_of_range') return unpriced(version, UnpricedReason.COST_OUT_OF_RANGE);
  if ('missingKinds' in cost) return unpriced(version, UnpricedReason.MISSING_RATE, cost.missingKinds);
  return priced(version, currency, cost.nanos);
}

function priced(priceVersion: number, costCurrency: string, costNanos: bigint): Cost {
  return { costNanos, costCurrency, priceVersion, unpricedReason: UnpricedReason.NONE, unpricedKinds: 0 };
}

function unpriced(priceVersion: number, unpricedReason: number, unpricedKinds = 0): Cost {
  return { costNanos: undefined, costCurrency: '', priceVersion, unpricedReason, unpricedKinds };
}
