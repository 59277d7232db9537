/** Amounts of money for people: rounded alike within a column, with thousands separators. */

import { group } from '../progress.ts';

const DIGITS = 9;

/** So many decimals tell the largest of these amounts (in nanos) by 3 digits or more: 2, 4, 6 or 9. */
export function decimalsFor(amounts: readonly bigint[]): number {
  const largest = amounts.reduce((most, amount) => (amount > most ? amount : most), 0n);
  if (largest === 0n || largest >= 1_000_000_000n) return 2;
  if (largest >= 10_000_000n) return 4;
  return largest >= 100_000n ? 6 : DIGITS;
}

/** `1,234.57`; `<0.01` for what is more than 0 and would be rounded to it. A half goes to the even neighbour. */
export function amountText(nanos: bigint, decimals: number): string {
  // Only damaged sums are negative; they must not look like others.
  if (nanos < 0n) return `-${amountText(-nanos, decimals)}`;
  const unit = 10n ** BigInt(DIGITS - decimals);
  const twice = (nanos % unit) * 2n;
  const quotient = nanos / unit;
  const rounded = twice > unit || (twice === unit && quotient % 2n === 1n) ? quotient + 1n : quotient;
  if (rounded === 0n && nanos > 0n) return `<0.${'1'.padStart(decimals, '0')}`;
  const digits = rounded.toString().padStart(decimals + 1, '0');
  return `${group(BigInt(digits.slice(0, -decimals)))}.${digits.slice(-decimals)}`;
}

/** `12.3 %` of the total; `<0.1 %` for what is more than 0 and would be rounded to it. */
export function shareText(part: bigint, total: bigint): string {
  if (total <= 0n) return '';
  const permille = (part * 2000n + total) / (total * 2n);
  if (permille === 0n && part > 0n) return '<0.1 %';
  return `${permille / 10n}.${permille % 10n} %`;
}
