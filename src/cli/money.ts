/** Decimal numbers as text, and amounts of money in billionths. Nothing passes through a floating-point number. */

import { decimalText, halfEven } from './prices/decimal.ts';

const INT64_MAX = 9_223_372_036_854_775_807n;
/** No number of a usage file is longer. */
const LENGTH_MAX = 100;
const DECIMAL = /^(\d*)(?:\.(\d*))?(?:e([+-]?\d{1,2}))?$/i;

/** A number that was read, as a whole number of a smaller unit. */
export interface Scaled {
  readonly value: bigint;
  /** The text had finer digits. They were rounded, a half to the even neighbour. */
  readonly isRounded: boolean;
}

/**
 * Reads a decimal number of at least 0 and multiplies it by 10^`power`: 9 makes billionths of a unit. Besides digits
 * it reads what can mean only one number: `1,234.5`, `1.234,5`, `0,5`, `1.2e-05`. Otherwise it returns the reason,
 * as the rest of a sentence.
 */
export function parseScaled(text: string, power: number): Scaled | string {
  const number = text.trim().replace(/^\+/, '');
  if (/^[-−](?:0+(?:[.,]0*)?|[.,]0+)$/.test(number)) return { value: 0n, isRounded: false };
  if (/^[-−]\s*\d/.test(number)) return 'is negative';
  if (/^[1-9]\d{0,2},\d{3}$/.test(number))
    return 'could be a thousand times more or less: write it without a comma';
  const match = number.length > LENGTH_MAX ? null : DECIMAL.exec(withoutGroups(number));
  const [, whole = '', fraction = '', exponent = '0'] = match ?? [];
  if (whole + fraction === '') return 'is not a decimal number';
  const digits = BigInt(whole + fraction);
  const shift = power - fraction.length + Number(exponent);
  const divisor = 10n ** BigInt(Math.max(-shift, 0));
  const value = shift >= 0 ? digits * 10n ** BigInt(shift) : halfEven(digits, divisor);
  return value > INT64_MAX ? 'is too large' : { value, isRounded: digits % divisor !== 0n };
}

/** `1,234.5`, `1.234,5` and `0,5` with a point before the fraction and no other marks. */
function withoutGroups(number: string): string {
  if (/^\d{1,3}(?:,\d{3})+\.\d+$|^\d{1,3}(?:,\d{3}){2,}$/.test(number)) return number.replaceAll(',', '');
  if (/^\d{1,3}(?:\.\d{3})+,\d+$|^\d{1,3}(?:\.\d{3}){2,}$/.test(number))
    return number.replaceAll('.', '').replace(',', '.');
  return /^\d+,\d+$/.test(number) ? number.replace(',', '.') : number;
}

/** Billionths of a unit as an exact decimal number with at least two decimals: `1234.50`, `0.000001`. */
export function formatNanos(nanos: bigint): string {
  const [whole = '', fraction = ''] = decimalText(nanos, 9).split('.');
  return `${whole}.${fraction.padEnd(2, '0')}`;
}
