/** The files of other programs that the importer knows: one entry per layout. docs/import.md tells how to add one. */

import { AGENTS } from './layouts/agents.ts';
import { EXPORTED } from './layouts/exported.ts';
import { GATEWAYS } from './layouts/gateways.ts';
import type { Layout } from './layouts/layout.ts';
import { OTHERS } from './layouts/others.ts';
import { PROVIDERS } from './layouts/providers.ts';

const OWN: Layout = {
  name: 'Charge Service, charges in proto3 JSON',
  has: ['userProfile', 'chargeType', 'model | promptTokens | completionTokens', 'provider'],
  // Columns such as `prompt_tokens` are no proto3 JSON: an empty cell there is not known to be 0.
  hasExactly: true,
  fields: {
    'reported_cost in nanos': 'reportedCost.nanos',
    reported_currency: 'reportedCost.currencyCode',
    search_queries: 'quantities.USAGE_KIND_SEARCH_QUERY',
    input_images: 'quantities.USAGE_KIND_INPUT_IMAGE',
    output_images: 'quantities.USAGE_KIND_OUTPUT_IMAGE',
    input_milliseconds: 'quantities.USAGE_KIND_INPUT_MILLISECOND',
    output_milliseconds: 'quantities.USAGE_KIND_OUTPUT_MILLISECOND',
    input_characters: 'quantities.USAGE_KIND_INPUT_CHARACTER',
    output_characters: 'quantities.USAGE_KIND_OUTPUT_CHARACTER',
  },
  // Proto3 JSON leaves out what is 0.
  set: { prompt_tokens: '0', completion_tokens: '0' },
  cache: 'inside',
  reasoning: 'inside',
  // What was voided or amended does not count.
  isUsage: (cells) => !/VOIDED|AMENDED/.test(cells('state')),
};

/** The first one that fits is taken, so a layout with more columns stands before one with fewer of them. */
export const LAYOUTS: readonly Layout[] = [...EXPORTED, OWN, ...AGENTS, ...PROVIDERS, ...GATEWAYS, ...OTHERS];
