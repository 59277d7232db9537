/** The files of other programs that the importer knows: one entry per layout. docs/import.md tells how to add one. */

import { AGENTS } from './layouts/agents.ts';
import { GATEWAYS } from './layouts/gateways.ts';
import type { Layout } from './layouts/layout.ts';
import { OTHERS } from './layouts/others.ts';
import { PROVIDERS } from './layouts/providers.ts';

const OWN: Layout = {
  name: 'Charge Service, charges in proto3 JSON',
  has: ['userProfile', 'chargeType', 'model | promptTokens | completionTokens', 'provider'],
  // Columns such as `prompt_tokens` are no proto3 JSON: an empty cell there is not known to be 0.
  hasExactly: true,
  fields: {},
  // Proto3 JSON leaves out what is 0.
  set: { prompt_tokens: '0', completion_tokens: '0' },
  cache: 'inside',
  reasoning: 'inside',
};

/** The first one that fits is taken, so a layout with more columns stands before one with fewer of them. */
export const LAYOUTS: readonly Layout[] = [OWN, ...AGENTS, ...PROVIDERS, ...GATEWAYS, ...OTHERS];
