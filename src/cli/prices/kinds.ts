/** The kinds of usage as files and people name them. */

import { UsageKind } from '../../../generated/charge/v1/money.ts';
import { decimalText, POWER } from './decimal.ts';

const PREFIX = 'USAGE_KIND_';

/** Kinds by their names in files: `cache_read` for USAGE_KIND_CACHE_READ. In the order of their numbers. */
export const KIND_OF_COLUMN: ReadonlyMap<string, UsageKind> = new Map(
  Object.entries(UsageKind)
    .filter(([, kind]) => kind > 0)
    .map(([name, kind]) => [name.slice(PREFIX.length).toLowerCase(), kind]),
);

const COLUMN_OF_KIND = new Map([...KIND_OF_COLUMN].map(([column, kind]) => [kind, column]));

/** The name of a kind in files: `cache_read`. */
export function columnOf(kind: UsageKind): string {
  return COLUMN_OF_KIND.get(kind) ?? String(kind);
}

/** Whether a kind counts tokens. The others count requests, queries, images, milliseconds and characters. */
export function isTokens(kind: UsageKind): boolean {
  return kind < UsageKind.USAGE_KIND_SEARCH_QUERY && kind !== UsageKind.USAGE_KIND_REQUEST;
}

/** Which price of a kind people write: that of a million tokens, or that of one of anything else. */
export function powerOf(kind: UsageKind): number {
  return isTokens(kind) ? POWER.perMillion : POWER.perOne;
}

/** A rate as people write it: in units of the currency, for a million tokens or for one of anything else. */
export function rateText(kind: UsageKind, nanosPerMillion: bigint): string {
  return decimalText(nanosPerMillion, powerOf(kind));
}
