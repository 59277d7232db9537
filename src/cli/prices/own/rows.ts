/** Reads the rows of a CSV file of prices, each on its own. */

import { ChargeType, Provider } from '../../../../generated/charge/v1/charge.ts';
import { ServiceTier } from '../../../../generated/charge/v1/money.ts';
import { ModelMatch, type PriceKey, type Rate } from '../../../../generated/charge/v1/price_service.ts';
import type { Timestamp } from '../../../../generated/google/protobuf/timestamp.ts';
import { explainTime, parseTimestamp } from '../../import/timestamp.ts';
import { parseChargeType, parseProvider, quote } from '../../import/values.ts';
import { parseRate } from '../decimal.ts';
import { KIND_OF_COLUMN, powerOf } from '../kinds.ts';
import type { Rounded } from '../price-file.ts';

/** The columns beside those of the kinds. */
const TEXT_COLUMNS = [
  'provider',
  'other_provider',
  'charge_type',
  'model',
  'model_match',
  'service_tier',
  'region',
  'effective_time',
  'basis',
  'alias_model',
  'currency_code',
  'above_prompt_tokens',
  'note',
] as const;

/** Every column that a file of prices may have, in the order in which the program writes them. */
export const COLUMNS: readonly string[] = [...TEXT_COLUMNS, ...KIND_OF_COLUMN.keys()];

const BASES = ['rate_card', 'alias', 'reported', 'withdrawn'] as const;

/** One row. */
export interface OwnRow {
  readonly line: number;
  readonly key: PriceKey;
  readonly effectiveTime: Timestamp | undefined;
  readonly basis: (typeof BASES)[number];
  readonly aliasModel: string;
  readonly currencyCode: string;
  /** 0n: the row has the rates of the base. */
  readonly abovePromptTokens: bigint;
  readonly rates: readonly Rate[];
  readonly note: string;
}

/** The cells of a row by their columns. */
export type Cells = ReadonlyMap<string, string>;

/** Reads one row. Adds to `faults` what is wrong with it, and to `rounded` what lost digits. */
export function readRow(line: number, cells: Cells, faults: string[], rounded: Rounded[]): OwnRow {
  const at = (column: string): string => cells.get(column)?.trim() ?? '';
  const fault = (column: string, reason: string): void =>
    void faults.push(`line ${line}: ${column}: ${reason}`);
  const oneOf = <T extends number>(column: string, values: Readonly<Record<string, T>>, usual: T): T =>
    at(column) === ''
      ? usual
      : (valueNamed(values, at(column)) ?? (fault(column, unknown(at(column), values)), usual));
  const basis = at('basis') === '' ? 'rate_card' : BASES.find((name) => name === at('basis').toLowerCase());
  if (!basis) fault('basis', `${quote(at('basis'))} is not ${BASES.join(', ')}`);
  const rates = readRates(line, at, fault, rounded);
  const row: OwnRow = {
    line,
    key: {
      ...readProviders(at, fault),
      chargeType: readChargeType(at('charge_type'), fault),
      model: at('model'),
      modelMatch: oneOf('model_match', ModelMatch, ModelMatch.MODEL_MATCH_EXACT),
      serviceTier: oneOf('service_tier', ServiceTier, ServiceTier.SERVICE_TIER_STANDARD),
      region: at('region'),
    },
    effectiveTime: readMoment(at('effective_time'), fault),
    basis: basis ?? 'rate_card',
    aliasModel: at('alias_model'),
    currencyCode: at('currency_code').toUpperCase(),
    abovePromptTokens: readLimit(at('above_prompt_tokens'), fault),
    rates,
    note: at('note'),
  };
  checkBasis(
    row,
    [...KIND_OF_COLUMN.keys()].some((column) => at(column) !== ''),
    fault,
  );
  return row;
}

type Fault = (column: string, reason: string) => void;
type At = (column: string) => string;

function readProviders(at: At, fault: Fault): Pick<PriceKey, 'provider' | 'otherProvider'> {
  const provider = parseProvider(at('provider'));
  if (at('provider') === '') fault('provider', 'is missing');
  else if (!provider)
    fault(
      'provider',
      `${quote(at('provider'))} is not known: if the contract has no name for it, other, and its name in other_provider`,
    );
  else if (provider === Provider.PROVIDER_OTHER && at('other_provider') === '')
    fault('other_provider', 'is missing');
  else if (provider !== Provider.PROVIDER_OTHER && at('other_provider') !== '')
    fault('other_provider', 'must be empty unless provider is other');
  return { provider: provider ?? Provider.PROVIDER_UNSPECIFIED, otherProvider: at('other_provider') };
}

function readChargeType(text: string, fault: Fault): ChargeType {
  const type = text === '' ? ChargeType.CHARGE_TYPE_COMPLETION : parseChargeType(text);
  if (!type) fault('charge_type', unknown(text, ChargeType));
  return type ?? ChargeType.CHARGE_TYPE_COMPLETION;
}

function readMoment(text: string, fault: Fault): Timestamp | undefined {
  const time = text === '' ? undefined : parseTimestamp(text);
  if (text !== '' && !time) fault('effective_time', explainTime(text));
  return time;
}

function readLimit(text: string, fault: Fault): bigint {
  if (/^\d{0,15}$/.test(text)) return BigInt(text);
  fault('above_prompt_tokens', `${quote(text)} is not a whole number`);
  return 0n;
}

function readRates(line: number, at: At, fault: Fault, rounded: Rounded[]): Rate[] {
  return [...KIND_OF_COLUMN].flatMap(([column, kind]): Rate[] => {
    const text = at(column);
    if (text === '') return [];
    const rate = parseRate(text, powerOf(kind));
    if ('reason' in rate) {
      fault(column, rate.reason);
      return [];
    }
    const { nanosPerMillion, isRounded } = rate;
    if (isRounded) rounded.push({ origin: `line ${line}`, field: column, text, nanosPerMillion });
    return [{ kind, nanosPerMillion }];
  });
}

/** What the basis needs, and what it cannot have. */
function checkBasis(row: OwnRow, hasRates: boolean, fault: Fault): void {
  const isCard = row.basis === 'rate_card';
  if (isCard && !hasRates) fault('basis', 'a rate_card needs the rate of at least one kind');
  if (isCard && row.abovePromptTokens === 0n && row.currencyCode === '') fault('currency_code', 'is missing');
  if (!isCard && hasRates) fault('basis', `${row.basis} has no rates`);
  if (!isCard && row.currencyCode !== '')
    fault('currency_code', `must be empty: ${row.basis} has no currency`);
  if (!isCard && row.abovePromptTokens > 0n)
    fault('above_prompt_tokens', `must be empty: ${row.basis} has no tiers`);
  if (row.basis === 'alias' && row.aliasModel === '') fault('alias_model', 'is missing');
  if (row.basis !== 'alias' && row.aliasModel !== '')
    fault('alias_model', 'must be empty unless basis is alias');
}

/** A value by its name in the contract, or by the part that its enum does not share: `batch`. */
function valueNamed<T extends number>(values: Readonly<Record<string, T>>, text: string): T | undefined {
  const name = text.toUpperCase();
  return Object.entries(values).find(
    ([key, value]) => value > 0 && (key === name || key.endsWith(`_${name}`)),
  )?.[1];
}

function unknown(text: string, values: Readonly<Record<string, number>>): string {
  const names = Object.entries(values).filter(([, value]) => value > 0);
  return `${quote(text)} is not ${names.map(([name]) => name).join(', ')}`;
}
