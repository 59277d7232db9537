/** The real catalogue and the cases with exact amounts, for tests that skip without them. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { convertCatalogue, type CatalogueOptions } from '../../../../src/cli/prices/litellm/catalogue.ts';
import { parseJsonText } from '../../../../src/cli/prices/json-text.ts';
import type { PriceFile } from '../../../../src/cli/prices/price-file.ts';

/** Next to the checkout, or next to the folder of the worktrees. */
const DATA = ['../shared/data', '../../shared/data']
  .map((path) => join(import.meta.dirname, '../../../..', path))
  .find((path) => existsSync(path));
export const CATALOGUE = join(DATA ?? '', 'litellm-model-prices.json');
const CASES = join(DATA ?? '', 'money-cases.json');

/** Whether this machine has the files. */
export const hasData = existsSync(CATALOGUE) && existsSync(CASES);

const ALL: CatalogueOptions = { zeroMeansFree: false, searchSize: 'medium', isWanted: () => true };

/** Converts a catalogue that is given as JSON. */
export function convert(text: string, options: Partial<CatalogueOptions> = {}): PriceFile {
  const entries = parseJsonText(text) as Record<string, unknown>;
  return convertCatalogue(entries, Buffer.from(text), { ...ALL, ...options });
}

/** Converts entries with the fields that every one has. */
export function convertEntries(
  entries: Readonly<Record<string, object>>,
  options: Partial<CatalogueOptions> = {},
): PriceFile {
  const full = Object.entries(entries).map(([name, fields]) => [
    name,
    { litellm_provider: 'openai', mode: 'chat', ...fields },
  ]);
  return convert(JSON.stringify(Object.fromEntries(full)), options);
}

/** The real catalogue, converted. */
export function convertReal(): PriceFile {
  return convert(readFileSync(CATALOGUE, 'utf8'));
}

/** A case of `money-cases.json`, as far as these tests read it. */
export interface MoneyCase {
  readonly id: string;
  readonly title: string;
  readonly kind: string;
  readonly price_from: { readonly catalogue?: string } | null;
  readonly charge: {
    readonly provider: string;
    readonly other_provider?: string;
    readonly model: string;
    readonly service_tier?: string;
    readonly region?: string;
    readonly prompt_tokens: number;
  };
  readonly expected: {
    readonly status: string;
    readonly lines?: readonly { readonly kind: string; readonly nanos_per_million: number }[];
    readonly unpriced_kinds?: readonly string[];
    readonly unpriced_reason?: string | null;
  } & Readonly<Record<string, unknown>>;
}

export function readCases(): readonly MoneyCase[] {
  return (JSON.parse(readFileSync(CASES, 'utf8')) as { cases: MoneyCase[] }).cases;
}
