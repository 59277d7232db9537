/** Reads counts and enum values out of cells. */

import { CallOutcome, ChargeType, Provider } from '../../../generated/charge/v1/charge.ts';
import { ServiceTier } from '../../../generated/charge/v1/money.ts';
import { simplify } from './aliases.ts';
import { CALL_OUTCOME_NAMES, CHARGE_TYPE_NAMES, PROVIDER_NAMES, SERVICE_TIER_NAMES } from './enum-names.ts';

const INT64_MAX = 9223372036854775807n;
const INT64_DIGITS = 19;
/** Spreadsheets show numbers of 12 digits and more with an exponent, and round them. */
const EXPONENT_DIGITS_MAX = 11;
/** No count is longer. Nothing needs to be searched in a text of a megabyte. */
const COUNT_LENGTH_MAX = 400;

/** Thousands with a comma, a blank (also those that do not break), an apostrophe or an underscore. */
const GROUPED = /^[1-9]\d{0,2}([,_'’ \u00a0\u2007\u2009\u202f])\d{3}(?:\1\d{3})*(?:\.\d+)?$/;
const GROUPED_BY_POINTS = /^[1-9]\d{0,2}(?:(?:\.\d{3}){2,}|(?:\.\d{3})+,\d+)$/;
const DECIMAL = /^(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/;

/**
 * Reads a token count: a whole number, at most 2^63−1. Besides digits it reads what can mean only one
 * whole number: `374.0`, `374,0`, `1,234`, `1 234`, `1'234`, `1_234`, `1.234.567`, `1e3`, `+5`. It never
 * passes through a floating-point number. Otherwise it returns the reason, as the end of a sentence.
 */
export function parseCount(text: string): bigint | { reason: string } {
  // Almost every count.
  if (/^\d{1,18}$/.test(text)) return BigInt(text);
  const name = quote(text);
  const number = text.trim().replace(/^\+/, '');
  if (/^[-−]\d/.test(number)) return { reason: `${name} is negative` };
  const digitsOnly = number.replace(/^0+(?=\d)/, '');
  const count = digitsOnly.length > COUNT_LENGTH_MAX ? tooLong(digitsOnly) : readCount(digitsOnly);
  return typeof count === 'bigint' ? count : { reason: `${name} ${count}` };
}

function tooLong(number: string): string {
  return /^\d+$/.test(number) ? `is larger than ${INT64_MAX}` : 'is not a whole number written in digits';
}

/** The count, or the rest of the sentence that refuses it. */
function readCount(number: string): bigint | string {
  // 1.234 has a fraction in English and is 1234 in German.
  if (/^[1-9]\d{0,2}\.\d{3}$/.test(number)) {
    const whole = number.replace('.', '');
    return `could mean ${whole} or a fraction: write ${whole}, without a separator, if that is meant`;
  }
  if (GROUPED.test(number)) return readDecimal(number.replace(/[^\d.]/g, ''));
  if (GROUPED_BY_POINTS.test(number)) return readDecimal(number.replaceAll('.', '').replace(',', '.'));
  if (/^\d+,\d+$/.test(number)) return readDecimal(number.replace(',', '.'));
  return readDecimal(number);
}

function readDecimal(number: string): bigint | string {
  const match = DECIMAL.exec(number);
  if (!match) return 'is not a whole number written in digits';
  const [, whole = '', fraction = '', exponent] = match;
  const significant = `${whole}${fraction}`.replace(/^0+/, '');
  if (significant === '') return 0n;
  const digits = significant.replace(/0+$/, '');
  const zeros = significant.length - digits.length - fraction.length + Number(exponent ?? 0);
  if (zeros < 0) return 'is a fraction, and tokens are counted in whole numbers';
  const length = digits.length + zeros;
  if (length > INT64_DIGITS) return `is larger than ${INT64_MAX}`;
  if (exponent !== undefined && length > EXPONENT_DIGITS_MAX)
    return 'may be rounded, as spreadsheets round large numbers: write all its digits';
  const count = BigInt(digits) * 10n ** BigInt(zeros);
  return count > INT64_MAX ? `is larger than ${INT64_MAX}` : count;
}

/** Provider for a contract name (`PROVIDER_OPENAI`, `openai`) or a name that other programs give it. */
export function parseProvider(text: string): Provider | undefined {
  return PROVIDERS.get(simplify(text));
}

/** Charge type for a contract name (`CHARGE_TYPE_TOOL`, `tool`) or a name that other programs give it. */
export function parseChargeType(text: string): ChargeType | undefined {
  return CHARGE_TYPES.get(simplify(text));
}

/** Service tier for a contract name (`SERVICE_TIER_BATCH`, `batch`) or a name that providers give it. */
export function parseServiceTier(text: string): ServiceTier | undefined {
  return SERVICE_TIERS.get(simplify(text));
}

/** Outcome of a call for a contract name (`CALL_OUTCOME_FAILED`, `failed`) or a name that other programs give it. */
export function parseCallOutcome(text: string): CallOutcome | undefined {
  return CALL_OUTCOMES.get(simplify(text));
}

/** A text for a message, in quotes and cut after 60 characters. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}

const PROVIDERS = namesOf(Provider, 'PROVIDER_', PROVIDER_NAMES);
const CHARGE_TYPES = namesOf(ChargeType, 'CHARGE_TYPE_', CHARGE_TYPE_NAMES);
const SERVICE_TIERS = namesOf(ServiceTier, 'SERVICE_TIER_', SERVICE_TIER_NAMES);
const CALL_OUTCOMES = namesOf(CallOutcome, 'CALL_OUTCOME_', CALL_OUTCOME_NAMES);

function namesOf<T extends number>(
  values: Readonly<Record<string, T>>,
  prefix: string,
  otherNames: readonly (readonly [T, string])[],
): Map<string, T> {
  return new Map([
    ...otherNames.flatMap(([value, names]) =>
      names.split(/\s*,\s*/).map((name): [string, T] => [simplify(name), value]),
    ),
    ...Object.entries(values)
      .filter(([, value]) => value > 0)
      .flatMap(([name, value]): [string, T][] => [
        [simplify(name), value],
        [simplify(name.slice(prefix.length)), value],
      ]),
  ]);
}
