/** Decides whether the cached and reasoning tokens of a row are inside its two counts or beside them. */

import { TokenDetails } from '../../../generated/charge/v1/charge.ts';
import type { Draft } from './draft.ts';

/** `inside`: the count includes the part, as the contract wants it. `beside`: the part has to be added. */
export type Place = 'inside' | 'beside';

/** Where a layout, a flag or the name of a column says that the parts are. Undefined: nothing says it. */
export interface Places {
  readonly cache: Place | undefined;
  readonly reasoning: Place | undefined;
}

/** A part of which neither the total of the row nor {@link Places} says where it is. */
export type Unsettled = keyof Places;

/**
 * Adds the parts that are beside the counts to them. The total of the row decides if it fits only one
 * reading; otherwise `places` does. What is not settled is taken to be inside, and returned.
 */
export function settleParts(draft: Draft, places: Places): Unsettled[] {
  const { charge, filled } = draft;
  const details = charge.tokenDetails ?? TokenDetails.fromPartial({});
  const { cacheReadTokens, reasoningTokens: reasoning } = details;
  const written = details.cacheWrite5mTokens + details.cacheWrite1hTokens;
  // Some files give what was written both as a whole and by lifetime.
  const cached = cacheReadTokens + (written > draft.cacheWriteTokens ? written : draft.cacheWriteTokens);
  if (cached + reasoning === 0n || !filled.has('prompt_tokens') || !filled.has('completion_tokens'))
    return [];
  const sum = charge.promptTokens + charge.completionTokens;
  const readings = placesOf(cached).flatMap((cache) =>
    placesOf(reasoning).map((place) => ({ cache, reasoning: place })),
  );
  const isFit = ({ cache, reasoning: place }: Places): boolean =>
    charge.totalTokens === sum + (cache === 'beside' ? cached : 0n) + (place === 'beside' ? reasoning : 0n);
  const fits = filled.has('total_tokens') ? readings.filter(isFit) : [];
  const { cache, reasoning: place } = fits.length === 1 && fits[0] ? fits[0] : places;
  if (cache === 'beside') charge.promptTokens += cached;
  if (place === 'beside') charge.completionTokens += reasoning;
  return [
    ...(cached > 0n && cache === undefined ? (['cache'] as const) : []),
    ...(reasoning > 0n && place === undefined ? (['reasoning'] as const) : []),
  ];
}

function placesOf(tokens: bigint): Place[] {
  return tokens > 0n ? ['inside', 'beside'] : ['inside'];
}
