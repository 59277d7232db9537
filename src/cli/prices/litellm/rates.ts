/** The prices of one entry of LiteLLM's price map, as rates. */

import { parseRate } from '../decimal.ts';
import type { Rounded } from '../price-file.ts';
import { NumberText } from '../json-text.ts';
import { isPriceField, readPriceField, type PriceField, type SearchSize } from './price-fields.ts';

/** One rate that an entry states. */
export interface StatedRate extends PriceField {
  readonly field: string;
  readonly nanosPerMillion: bigint;
}

/** Everything that an entry says about money. */
export interface StatedRates {
  readonly rates: readonly StatedRate[];
  /** Fields other than 0 that no usage kind stands for. */
  readonly unknown: readonly string[];
  readonly hasPixels: boolean;
  /** The entry has fields about money, whatever they say. */
  readonly hasPrices: boolean;
  readonly rounded: readonly Rounded[];
  /** Why the entry cannot be read. */
  readonly fault: string | undefined;
}

/** Reads the fields of `entry`. Of searches with several prices it takes that of `searchSize`. */
export function readRates(
  origin: string,
  entry: Readonly<Record<string, unknown>>,
  searchSize: SearchSize,
): StatedRates {
  const rates: StatedRate[] = [];
  const unknown: string[] = [];
  const rounded: Rounded[] = [];
  let fault: string | undefined;
  const fields = Object.entries(entry).filter(([name, value]) => isPriceField(name) && value !== null);
  for (const [field, stated] of fields) {
    const value = field === 'search_context_cost_per_query' ? priceOfSize(stated, searchSize) : stated;
    const meaning = readPriceField(field);
    if (!(value instanceof NumberText)) {
      unknown.push(field);
      continue;
    }
    const rate = parseRate(value.text, meaning?.power ?? 0);
    if ('reason' in rate) fault ??= `${field}: ${rate.reason}`;
    else if (meaning) {
      rates.push({ ...meaning, field, nanosPerMillion: rate.nanosPerMillion });
      if (rate.isRounded)
        rounded.push({ origin, field, text: value.text, nanosPerMillion: rate.nanosPerMillion });
    } else if (!/^[-0.]*(?:e|$)/i.test(value.text)) unknown.push(field);
  }
  const hasPixels = fields.some(([name]) => name.endsWith('_per_pixel'));
  return { rates, unknown, hasPixels, hasPrices: fields.length > 0, rounded, fault };
}

function priceOfSize(prices: unknown, size: SearchSize): unknown {
  return typeof prices === 'object' && prices !== null
    ? (prices as Record<string, unknown>)[`search_context_size_${size}`]
    : prices;
}
