/** What becomes of a request to add a price version. */

import type { PriceBook } from './price-book.ts';
import { firstPriceDifference, sameBasis } from './price-equality.ts';
import type { Price, PriceContent, PriceKey } from './price.ts';

/** A version may take effect so long before it is added: clocks differ, and requests take their time. */
const PAST_MICROS_MAX = 5n * 60n * 1_000_000n;

/** Versions of a tenant. Each process that works for it keeps all of them in memory. */
export const VERSIONS_MAX = 50_000;

/** A request to add a version, valid by the contract's rules. */
export interface PriceRequest {
  readonly requestId: string;
  readonly content: PriceContent;
  /** The version may take effect in the past although its key has versions. */
  readonly allowPast: boolean;
}

/** What became of a request. `unchanged`: the price in force says the same already, and nothing is added. */
export interface PriceResult {
  readonly outcome: 'created' | 'replayed' | 'unchanged';
  readonly price: Price;
}

/** Why no version is added. */
export type PriceRefusal =
  /** The request id made another version. `field`: the first one that differs, as a path from the request. */
  | {
      readonly kind: 'conflict';
      readonly requestId: string;
      readonly version: number;
      readonly field: string;
    }
  /** `version`: the one of the same key that is in force now. */
  | { readonly kind: 'effective_time_past'; readonly version: number; readonly effectiveTimeMicros: bigint }
  /** `model`: the one that an alias names and that would be an alias itself. */
  | { readonly kind: 'alias_chain'; readonly model: string }
  /** The tenant has {@link VERSIONS_MAX}. */
  | { readonly kind: 'too_many' };

/**
 * Decides requests one after the other. A version that is created is added to `book`, so that it counts for the
 * requests after it: the book must be a copy that nobody else reads.
 */
export class PriceDecisions {
  readonly #book: PriceBook;
  readonly #nowMicros: bigint;
  readonly #byRequestId: Map<string, Price>;

  /** `stored`: versions by the request ids that made them, as far as the requests have these ids. */
  constructor(book: PriceBook, stored: ReadonlyMap<string, Price>, nowMicros: bigint) {
    this.#book = book;
    this.#byRequestId = new Map(stored);
    this.#nowMicros = nowMicros;
  }

  decide({ requestId, content, allowPast }: PriceRequest): PriceResult | PriceRefusal {
    const made = this.#byRequestId.get(requestId);
    if (made !== undefined) {
      const field = firstPriceDifference(content, made);
      if (field === undefined) return { outcome: 'replayed', price: made };
      return { kind: 'conflict', requestId, version: made.version, field };
    }
    const effectiveTimeMicros = content.effectiveTimeMicros ?? this.#nowMicros;
    const current = this.#book.inForce(content.key, effectiveTimeMicros);
    if (current !== undefined && sameBasis(content.basis, current.basis)) {
      return { outcome: 'unchanged', price: current };
    }
    const latest = this.#latest(content.key);
    if (latest !== undefined && !allowPast && effectiveTimeMicros < this.#nowMicros - PAST_MICROS_MAX) {
      return { kind: 'effective_time_past', version: latest.version, effectiveTimeMicros };
    }
    const version = this.#book.version + 1;
    if (version > VERSIONS_MAX) return { kind: 'too_many' };
    const price = { ...content, version, effectiveTimeMicros, createTimeMicros: this.#nowMicros };
    this.#book.add([price]);
    this.#byRequestId.set(requestId, price);
    const model = this.#chainedModel(price);
    return model === undefined ? { outcome: 'created', price } : { kind: 'alias_chain', model };
  }

  /** The version of the key that is in force now, or its first one if all take effect later. */
  #latest(key: PriceKey): Price | undefined {
    return this.#book.inForce(key, this.#nowMicros) ?? this.#book.versionsOf(key)[0];
  }

  /** The model that an alias would name although it is an alias itself, now that `added` is there. */
  #chainedModel(added: Price): string | undefined {
    if (added.basis.kind !== 'alias') return undefined;
    for (const other of this.#book.all()) {
      if (other.basis.kind !== 'alias' || !sameScope(other.key, added.key)) continue;
      const from = max(added.effectiveTimeMicros, other.effectiveTimeMicros);
      const regions = [other.key.region, added.key.region];
      const model = this.#namedAlias(other, from, regions) ?? this.#namedAlias(added, from, regions);
      if (model !== undefined) return model;
    }
    return undefined;
  }

  /** The model that an alias names at a moment, if that is an alias for usage in one of the regions. */
  #namedAlias(alias: Price, usageTimeMicros: bigint, regions: readonly string[]): string | undefined {
    const { basis, key } = alias;
    if (basis.kind !== 'alias' || this.#book.inForce(key, usageTimeMicros) !== alias) return undefined;
    const { model } = basis;
    const isChained = regions
      .filter((region) => key.region === '' || key.region === region)
      .some((region) => {
        const named = this.#book.find({ ...key, region, model, usageTimeMicros });
        return named?.basis.kind === 'alias';
      });
    return isChained ? model : undefined;
  }
}

function sameScope(a: PriceKey, b: PriceKey): boolean {
  return (
    a.provider === b.provider &&
    a.otherProvider === b.otherProvider &&
    a.chargeType === b.chargeType &&
    a.serviceTier === b.serviceTier
  );
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
