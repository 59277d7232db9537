/** Which price version applies to a charge. */

import { ModelMatch, type Price, type PriceKey, type UsageKey } from './price.ts';

/** The versions of one key, by effective time and then number. */
type Versions = Price[];
/** Region → versions; the empty region is for charges of any region. */
type ByRegion = Map<string, Versions>;

/** The keys of one provider, charge type and service tier. */
interface Scope {
  /** By the whole model; the empty model is for charges of any model. */
  readonly exact: Map<string, ByRegion>;
  readonly prefix: Map<string, ByRegion>;
  /** The lengths of the prefixes, each once, the longest first. */
  readonly prefixLengths: number[];
}

/** What the first part of a key is made of. */
type ScopeKey = Pick<PriceKey, 'provider' | 'otherProvider' | 'chargeType' | 'serviceTier'>;

/** Price versions by key. Maps of maps, because a lookup for each charge must not build texts. */
export class PriceIndex {
  readonly #scopes = new Map<number, Map<string, Scope>>();

  /** Adds a version; of one key, in the order of the numbers. */
  add(price: Price): void {
    const { key } = price;
    const scopes = getOrAdd(this.#scopes, scopeNumber(key), () => new Map<string, Scope>());
    const scope = getOrAdd(scopes, key.otherProvider, newScope);
    const models = key.modelMatch === ModelMatch.PREFIX ? scope.prefix : scope.exact;
    const regions = getOrAdd(models, key.model, () => new Map<string, Versions>());
    const versions = getOrAdd(regions, key.region, (): Versions => []);
    const before = versions.findLastIndex((other) => other.effectiveTimeMicros <= price.effectiveTimeMicros);
    versions.splice(before + 1, 0, price);
    if (models === scope.prefix && !scope.prefixLengths.includes(key.model.length)) {
      scope.prefixLengths.push(key.model.length);
      scope.prefixLengths.sort((a, b) => b - a);
    }
  }

  versionsOf(key: PriceKey): readonly Price[] {
    const scope = this.#scopeOf(key);
    const models = key.modelMatch === ModelMatch.PREFIX ? scope?.prefix : scope?.exact;
    return models?.get(key.model)?.get(key.region) ?? [];
  }

  inForce(key: PriceKey, atMicros: bigint): Price | undefined {
    return latestUntil(this.versionsOf(key), atMicros);
  }

  /**
   * The version that applies to usage of `model`. A key without a version in force does not count. The model decides
   * first: exactly, then by prefix, the longest first, then any model. Then the region: its own, then any.
   */
  find(usage: UsageKey, model: string): Price | undefined {
    const scope = this.#scopeOf(usage);
    if (scope === undefined) return undefined;
    const exact = findInRegion(scope.exact.get(model), usage);
    if (exact !== undefined) return exact;
    for (const length of scope.prefixLengths) {
      if (length >= model.length) continue;
      const found = findInRegion(scope.prefix.get(model.slice(0, length)), usage);
      if (found !== undefined) return found;
    }
    return findInRegion(scope.exact.get(''), usage);
  }

  #scopeOf(key: ScopeKey): Scope | undefined {
    return this.#scopes.get(scopeNumber(key))?.get(key.otherProvider);
  }
}

function newScope(): Scope {
  return { exact: new Map(), prefix: new Map(), prefixLengths: [] };
}

/** One number for three small enums: a scope is found with two lookups instead of four. */
function scopeNumber({ provider, chargeType, serviceTier }: ScopeKey): number {
  return (provider * 256 + chargeType) * 256 + serviceTier;
}

function findInRegion(
  regions: ByRegion | undefined,
  { region, usageTimeMicros }: UsageKey,
): Price | undefined {
  if (regions === undefined) return undefined;
  const own = region === '' ? undefined : latestUntil(regions.get(region), usageTimeMicros);
  return own ?? latestUntil(regions.get(''), usageTimeMicros);
}

/** The last version that took effect until a moment. Nearly all charges are recent: the search starts at the end. */
function latestUntil(versions: readonly Price[] | undefined, atMicros: bigint): Price | undefined {
  return versions?.findLast((price) => price.effectiveTimeMicros <= atMicros);
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}
