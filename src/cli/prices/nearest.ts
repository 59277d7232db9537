/** The price whose name is nearest to a model. It is a suggestion for a person and never applied. */

import type { Price, PriceKey, UnpricedUsage } from '../../../generated/charge/v1/price_service.ts';
import { ModelMatch } from '../../../generated/charge/v1/price_service.ts';

/** A model of which more than this share of letters differs is another model. */
const DIFFERENT_SHARE_MAX = 0.25;
/** Names that begin alike for so long are of one family: `gpt-4.1` and `gpt-4.1-ultra`. */
const FAMILY_LENGTH_MIN = 4;

/** Finds the nearest price of the same charge type: first among those of the same provider, then among others. */
export function nearestPrice(usage: UnpricedUsage, inForce: readonly Price[]): PriceKey | undefined {
  if (usage.model === '') return undefined;
  const name = plainName(usage.model);
  let nearest: PriceKey | undefined;
  let least = Infinity;
  for (const { key, basis } of inForce) {
    if (key?.chargeType !== usage.chargeType || key.model === '' || basis?.$case !== 'rateCard') continue;
    if (key.modelMatch === ModelMatch.MODEL_MATCH_PREFIX) continue;
    const distance = distanceOf(name, plainName(key.model)) + strangeness(key, usage);
    if (distance < least) [nearest, least] = [key, distance];
  }
  return nearest;
}

/** Between names that are equally near, the same provider counts most, then the tier, then the region. Below 1. */
function strangeness(key: PriceKey, usage: UnpricedUsage): number {
  const isSame = key.provider === usage.provider && key.otherProvider === usage.otherProvider;
  return (
    (isSame ? 0 : 0.5) +
    ((key.serviceTier || 1) === (usage.serviceTier || 1) ? 0 : 0.25) +
    (key.region === usage.region || key.region === '' ? 0 : 0.125) +
    (key.model === usage.model ? 0 : 0.01)
  );
}

/**
 * A name without what does not tell the model: the vendor before a slash, a date, `latest` or a revision at the end,
 * marks. `openai/gpt-4o-2024-11-20` becomes `gpt4o`.
 */
function plainName(model: string): string {
  return model
    .toLowerCase()
    .replace(/^.*\//, '')
    .replace(/-v\d(?::\d+)?$/, '')
    .replace(/[-@:](?:\d{4}-\d\d-\d\d|\d{6,8}|latest|preview|exp)(?=$|[-@:])/g, '')
    .replace(/[^a-z0-9]/g, '');
}

/** How many letters differ; Infinity: it is another model. Other digits are another version or another size. */
function distanceOf(a: string, b: string): number {
  if (a.replace(/\D/g, '') !== b.replace(/\D/g, '')) return Infinity;
  const difference = Math.abs(a.length - b.length);
  if (Math.min(a.length, b.length) >= FAMILY_LENGTH_MIN && (a.startsWith(b) || b.startsWith(a)))
    return difference;
  const max = Math.floor(Math.max(a.length, b.length) * DIFFERENT_SHARE_MAX);
  if (difference > max) return Infinity;
  const distance = editDistance(a, b);
  return distance > max ? Infinity : distance;
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const change = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(change, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
