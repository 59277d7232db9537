/** LiteLLM's price map, `model_prices_and_context_window.json`, as prices of the contract. */

import { createHash } from 'node:crypto';
import { ChargeType, type Provider } from '../../../../generated/charge/v1/charge.ts';
import type { Price, PriceKey } from '../../../../generated/charge/v1/price_service.ts';
import {
  addName,
  type Collision,
  type ConversionNotes,
  type Copied,
  type FilePrice,
  type PriceFile,
  type Rounded,
} from '../price-file.ts';
import { basisText, describeKey, keyText } from '../price-text.ts';
import { makeCards, type Cards } from './cards.ts';
import { readModel, type NamedModel } from './models.ts';
import type { SearchSize } from './price-fields.ts';
import { readRates, type StatedRates } from './rates.ts';

/** How to read a catalogue. */
export interface CatalogueOptions {
  /** An entry whose prices are all 0 is free. Otherwise it has no price. */
  readonly zeroMeansFree: boolean;
  readonly searchSize: SearchSize;
  /** Which providers to read. */
  readonly isWanted: (provider: Provider, otherProvider: string) => boolean;
}

const SOURCE = 'litellm:';
const SOURCE_LENGTH_MAX = 255;
/** Hexadecimal digits of the file's hash in a source. */
const HASH_LENGTH = 16;
/** The entry that explains the others. */
const EXAMPLE = 'sample_spec';

/** A price with what decides between two of one key. */
interface Candidate extends FilePrice {
  readonly key: PriceKey;
  readonly spellsProvider: boolean;
}

/** Converts a catalogue that {@link parseJsonText} has read. `bytes` is the file, for its hash. */
export function convertCatalogue(
  entries: Readonly<Record<string, unknown>>,
  bytes: Buffer,
  options: CatalogueOptions,
): PriceFile {
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, HASH_LENGTH);
  const leftOut = new Map<string, string[]>();
  const ignored = new Map<string, string[]>();
  const rounded: Rounded[] = [];
  const copied: Copied[] = [];
  const candidates: Candidate[] = [];
  let count = 0;
  for (const [entry, fields] of Object.entries(entries)) {
    const provider = litellmProviderOf(fields);
    const model = readModel(entry, provider);
    const providers = model.providers.filter((wanted) => options.isWanted(wanted, model.otherProvider));
    if (providers.length === 0) continue;
    count += 1;
    const converted = convertEntry(entry, fields, provider, options);
    if (typeof converted === 'string') addName(leftOut, converted, entry);
    else {
      for (const field of converted.ignored) addName(ignored, field, entry);
      rounded.push(...converted.rounded);
      copied.push(...converted.copied);
      const source = `${SOURCE}${hash}#${entry}`.slice(0, SOURCE_LENGTH_MAX);
      candidates.push(...pricesOf({ ...model, providers }, converted, entry, source));
    }
  }
  const { prices, sameAgain, conflicts } = settleCollisions(candidates);
  const notes: ConversionNotes = { leftOut, ignored, sameAgain, conflicts, rounded, copied };
  return { format: 'litellm', sourcePrefix: SOURCE, entries: count, prices, notes };
}

function litellmProviderOf(fields: unknown): string {
  const provider = isObject(fields) ? fields['litellm_provider'] : undefined;
  return typeof provider === 'string' ? provider : '';
}

type Converted = Pick<StatedRates, 'rounded'> & Pick<Cards, 'cards' | 'copied' | 'ignored'>;

/** The cards of an entry, or the reason why it has none. */
function convertEntry(
  entry: string,
  fields: unknown,
  provider: string,
  { zeroMeansFree, searchSize }: CatalogueOptions,
): Converted | string {
  if (isObject(fields) && 'alias_of' in fields) return 'another name of a model';
  if (entry === EXAMPLE || !isObject(fields) || provider === '') return 'not a model';
  if (/(?:^|\/)\d+-month-commitment\//.test(entry)) return 'provisioned throughput by time';
  const stated = readRates(entry, fields, searchSize);
  if (!stated.hasPrices) return 'no price';
  if (stated.fault !== undefined) return stated.fault;
  const isZero = !stated.rates.some(({ nanosPerMillion }) => nanosPerMillion > 0n);
  if (isZero && stated.hasPixels) return 'image priced per pixel';
  if (isZero && stated.unknown.length > 0) return `priced by ${stated.unknown.join(', ')}`;
  if (isZero && !zeroMeansFree) return 'every price is 0';
  const { cards, ignored, copied, fault } = makeCards(entry, stated.rates, zeroMeansFree);
  if (fault !== undefined) return fault;
  return { cards, copied, ignored: [...ignored, ...stated.unknown], rounded: stated.rounded };
}

function pricesOf(model: NamedModel, { cards }: Converted, entry: string, source: string): Candidate[] {
  return model.providers.flatMap((provider) =>
    cards.map(({ serviceTier, card }) => {
      const key: PriceKey = {
        provider,
        otherProvider: model.otherProvider,
        chargeType: ChargeType.CHARGE_TYPE_COMPLETION,
        model: model.model,
        modelMatch: model.modelMatch,
        serviceTier,
        region: model.region,
      };
      const price: Price = {
        version: 0n,
        key,
        effectiveTime: undefined,
        basis: { $case: 'rateCard', value: card },
        source,
        note: '',
        createTime: undefined,
      };
      return { price, key, origin: entry, spellsProvider: model.spellsProvider };
    }),
  );
}

/** Of the prices of one key, keeps that of the first entry that spells its provider, otherwise the first one. */
function settleCollisions(candidates: readonly Candidate[]) {
  const kept = new Map<string, Candidate>();
  const pairs: { winner: Candidate; loser: Candidate }[] = [];
  for (const candidate of candidates) {
    const text = keyText(candidate.key);
    const other = kept.get(text);
    const wins = !other || (candidate.spellsProvider && !other.spellsProvider);
    if (wins) kept.set(text, candidate);
    if (other) pairs.push(wins ? { winner: candidate, loser: other } : { winner: other, loser: candidate });
  }
  const sameAgain: Collision[] = [];
  const conflicts: Collision[] = [];
  for (const { winner, loser } of pairs) {
    const isSame = basisText(winner.price) === basisText(loser.price);
    const collision = { entry: loser.origin, kept: winner.origin, key: describeKey(loser.key) };
    (isSame ? sameAgain : conflicts).push(collision);
  }
  const prices = [...kept.values()].map(({ price, origin }): FilePrice => ({ price, origin }));
  return { prices, sameAgain, conflicts };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
