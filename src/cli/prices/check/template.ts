/** A price file with a row for each usage without a price, whose rates a person fills in. */

import { UnpricedReason, UsageKind as Kind } from '../../../../generated/charge/v1/money.ts';
import {
  ModelMatch,
  type Price,
  type PriceKey,
  type UnpricedUsage,
} from '../../../../generated/charge/v1/price_service.ts';
import { csvText, rowOfKey, rowsOfPrice, type CsvRow } from '../own/write-csv.ts';
import { nearestPrice } from '../nearest.ts';
import { inForceAt, pricesAt, type History } from '../plan.ts';
import { describeKey, keyText } from '../price-text.ts';
import { BEGINNING, microsOf, timeText } from '../../time.ts';

/** Kinds that most models have. */
const USUAL = [Kind.USAGE_KIND_INPUT, Kind.USAGE_KIND_OUTPUT, Kind.USAGE_KIND_CACHE_READ];

const NOTE_LENGTH_MAX = 255;
/** More than the length of any model. */
const EXACT = 1000;

/** Reasons that a price mends. The others need a reported cost. */
const MENDED_BY_PRICES: readonly UnpricedReason[] = [
  UnpricedReason.UNPRICED_REASON_NO_PRICE,
  UnpricedReason.UNPRICED_REASON_MISSING_RATE,
  UnpricedReason.UNPRICED_REASON_WITHDRAWN,
];

/** Whether a price would give these charges a cost. */
export function canBeMended({ reason }: UnpricedUsage): boolean {
  return MENDED_BY_PRICES.includes(reason);
}

/** Whether a price that came after these charges gives them a cost: `charge prices reprice` is all that they need. */
export function hasPriceNow(usage: UnpricedUsage, history: History): boolean {
  if (!canBeMended(usage)) return false;
  return [usage.firstUsageTime, usage.lastUsageTime].every((time) => {
    const basis = appliedPrice(usage, pricesAt(history, microsOf(time ?? BEGINNING)))?.basis;
    if (basis?.$case === 'reported') return true;
    if (basis?.$case !== 'rateCard') return false;
    return usage.kinds.every((kind) => basis.value.rates.some((rate) => rate.kind === kind));
  });
}

/** Whether these charges need a row of the file. */
function needsRow(usage: UnpricedUsage, history: History): boolean {
  return canBeMended(usage) && !hasPriceNow(usage, history);
}

/** The text of the file. Rates that are known already are filled in. */
export function templateOf(usages: readonly UnpricedUsage[], history: History, now: bigint): string {
  const inForce = pricesAt(history, now);
  const wanted = usages.filter((usage) => needsRow(usage, history));
  const rows = wanted.flatMap((usage) => rowsFor(usage, history, inForce));
  // One price may lack several rates, each in another row of the list.
  const unique = [...new Map(rows.map((row) => [JSON.stringify(row), row])).values()];
  return csvText(unique, [...USUAL, ...wanted.flatMap(({ kinds }) => kinds)]);
}

/** Whether the file has rows for keys with versions, which take effect in the past. */
export function changesThePast(usages: readonly UnpricedUsage[], history: History): boolean {
  return usages.some(
    (usage) =>
      needsRow(usage, history) &&
      (usage.reason !== UnpricedReason.UNPRICED_REASON_NO_PRICE || history.has(keyText(keyOf(usage)))),
  );
}

function rowsFor(usage: UnpricedUsage, history: History, inForce: readonly Price[]): CsvRow[] {
  const first = microsOf(usage.firstUsageTime ?? BEGINNING);
  const last = microsOf(usage.lastUsageTime ?? BEGINNING);
  if (usage.reason === UnpricedReason.UNPRICED_REASON_MISSING_RATE) {
    const applied = appliedPrice(usage, pricesAt(history, last));
    const versions = applied ? versionsBetween(history.get(keyText(applied.key)) ?? [], first, last) : [];
    if (versions.length > 0) return versions.flatMap(rowsOfPrice);
  }
  const key = keyOf(usage);
  const nearest = nearestPrice(usage, inForce);
  const row: CsvRow = {
    ...rowOfKey(key),
    // The first price of a key is in force from the beginning, a later one from now on, unless the row says more.
    effective_time: history.has(keyText(key)) ? timeText(usage.firstUsageTime) : '',
    note: nearest ? `nearest by name: ${describeKey(nearest)}`.slice(0, NOTE_LENGTH_MAX) : '',
  };
  return [row];
}

function keyOf(usage: UnpricedUsage): PriceKey {
  const { provider, otherProvider, chargeType, model, serviceTier, region } = usage;
  const modelMatch = ModelMatch.MODEL_MATCH_EXACT;
  return { provider, otherProvider, chargeType, model, modelMatch, serviceTier, region };
}

/** The versions of a key that priced usage from `first` to `last`. */
function versionsBetween(versions: readonly Price[], first: bigint, last: bigint): Price[] {
  const starts = versions.map(({ effectiveTime }) => microsOf(effectiveTime ?? BEGINNING));
  const moments = [first, ...starts.filter((start) => start > first && start <= last)];
  return [...new Set(moments.flatMap((moment) => inForceAt(versions, moment) ?? []))];
}

/** The price that applied and lacks a rate, by the rules of the contract. */
function appliedPrice(
  usage: UnpricedUsage,
  prices: readonly Price[],
  model = usage.model,
): Price | undefined {
  const fits = prices
    .filter(({ key }) => {
      if (key?.provider !== usage.provider || key.otherProvider !== usage.otherProvider) return false;
      if (key.chargeType !== usage.chargeType || (key.serviceTier || 1) !== (usage.serviceTier || 1))
        return false;
      if (key.region !== '' && key.region !== usage.region) return false;
      return key.modelMatch === ModelMatch.MODEL_MATCH_PREFIX
        ? model.startsWith(key.model) && model !== key.model
        : key.model === model || key.model === '';
    })
    .sort((a, b) => closeness(b, model) - closeness(a, model));
  const [price] = fits;
  if (price?.basis?.$case !== 'alias') return price;
  const target = price.basis.value.model;
  return model === usage.model ? appliedPrice(usage, prices, target) : undefined;
}

/** Exact before the longest prefix before any model; with the region before without. */
function closeness({ key }: Price, model: string): number {
  if (!key) return 0;
  const isExact = key.modelMatch !== ModelMatch.MODEL_MATCH_PREFIX && key.model === model;
  return (isExact ? EXACT : key.model.length) + (key.region === '' ? 0 : 0.5);
}
