/** Writes prices as the CSV that `charge prices import` reads. */

import { ChargeType, Provider } from '../../../../generated/charge/v1/charge.ts';
import { ServiceTier, type UsageKind } from '../../../../generated/charge/v1/money.ts';
import {
  ModelMatch,
  type Price,
  type PriceKey,
  type Rate,
} from '../../../../generated/charge/v1/price_service.ts';
import { columnOf, rateText } from '../kinds.ts';
import { cardOf, nameOf, shortName } from '../price-text.ts';
import { timeText } from '../time.ts';
import { COLUMNS } from './rows.ts';

/** The cells of a row by their columns. */
export type CsvRow = Readonly<Record<string, string>>;

/** The text of a file with these rows. It has the columns that some row fills, and those of `kinds`. */
export function csvText(rows: readonly CsvRow[], kinds: readonly UsageKind[]): string {
  const wanted = new Set(kinds.map(columnOf));
  const columns = COLUMNS.filter(
    (column) =>
      column === 'currency_code' || wanted.has(column) || rows.some((row) => (row[column] ?? '') !== ''),
  );
  const lines = [columns, ...rows.map((row) => columns.map((column) => row[column] ?? ''))];
  return lines.map((cells) => `${cells.map(quoted).join(',')}\n`).join('');
}

/** The rows of a price with rates: the base and its tiers. */
export function rowsOfPrice(price: Price): CsvRow[] {
  const card = cardOf(price);
  if (!price.key || !card) return [];
  const common = {
    ...rowOfKey(price.key),
    effective_time: timeText(price.effectiveTime),
    currency_code: card.currencyCode,
    note: price.note,
  };
  return [
    { ...common, ...cellsOf(card.rates) },
    ...card.tiers.map((tier) => ({
      ...common,
      above_prompt_tokens: String(tier.abovePromptTokens),
      ...cellsOf(tier.rates),
    })),
  ];
}

/** The cells that name a key. */
export function rowOfKey(key: PriceKey): CsvRow {
  return {
    provider: nameOf(Provider, key.provider),
    other_provider: key.otherProvider,
    charge_type: nameOf(ChargeType, key.chargeType),
    model: key.model,
    model_match: key.modelMatch === ModelMatch.MODEL_MATCH_PREFIX ? 'prefix' : '',
    service_tier:
      key.serviceTier > ServiceTier.SERVICE_TIER_STANDARD ? shortName(ServiceTier, key.serviceTier) : '',
    region: key.region,
  };
}

function cellsOf(rates: readonly Rate[]): CsvRow {
  return Object.fromEntries(
    rates.map(({ kind, nanosPerMillion }) => [columnOf(kind), rateText(kind, nanosPerMillion)]),
  );
}

function quoted(cell: string): string {
  return /[",;\t\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
