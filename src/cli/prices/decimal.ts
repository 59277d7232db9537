/** Decimals as text and rates as integers. Nothing here passes through a floating-point number. */

const DECIMAL = /^([+-]?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/;
/** No price is longer. */
const LENGTH_MAX = 60;
/** The largest rate of the contract. */
const RATE_MAX = 10n ** 18n;

/** A rate: billionths of the currency's unit for 1,000,000 of a kind, 0 to 10^18. */
export interface Rate {
  readonly nanosPerMillion: bigint;
  /** The decimal was finer than a rate can be. A half went to the even neighbour. */
  readonly isRounded: boolean;
}

/** Powers of ten between a price in a file and a rate. */
export const POWER = {
  /** The price of one. */
  perOne: 15,
  /** The price of 1,000, such as that of a second for a rate of milliseconds. */
  perThousand: 12,
  /** The price of 1,000,000. */
  perMillion: 9,
} as const;

/** Reads a price such as `2.5` or `2.5e-06` and multiplies it by 10^`power`. Otherwise the reason. */
export function parseRate(text: string, power: number): Rate | { readonly reason: string } {
  const match = text.length <= LENGTH_MAX ? DECIMAL.exec(text) : null;
  if (!match) return { reason: `${JSON.stringify(text.slice(0, LENGTH_MAX))} is not a decimal such as 2.5` };
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  const digits = BigInt(whole + fraction);
  const zeros = power + Number(exponent) - fraction.length;
  const nanosPerMillion =
    zeros >= 0 ? digits * 10n ** BigInt(zeros) : halfEven(digits, 10n ** BigInt(-zeros));
  if (sign === '-' && digits !== 0n) return { reason: `${text} is negative` };
  if (nanosPerMillion > RATE_MAX) return { reason: `${text} is larger than a rate can be` };
  return { nanosPerMillion, isRounded: zeros < 0 && digits % 10n ** BigInt(-zeros) !== 0n };
}

/** `numerator / divisor`, both at least 0; a half goes to the even neighbour. */
export function halfEven(numerator: bigint, divisor: bigint): bigint {
  const quotient = numerator / divisor;
  const twice = (numerator % divisor) * 2n;
  const isUp = twice > divisor || (twice === divisor && quotient % 2n === 1n);
  return isUp ? quotient + 1n : quotient;
}

/** An integer divided by 10^`power`, with all its digits and no zeros at the end: 2500000000 and 9 make `2.5`. */
export function decimalText(integer: bigint, power: number): string {
  const digits = (integer < 0n ? -integer : integer).toString().padStart(power + 1, '0');
  const fraction = digits.slice(digits.length - power).replace(/0+$/, '');
  const whole = digits.slice(0, digits.length - power);
  return `${integer < 0n ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`;
}
