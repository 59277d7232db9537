/** How each field of a charge reads the text of a cell. */

import { Provider, TokenDetails, type Charge } from '../../../generated/charge/v1/charge.ts';
import type { UsageKind } from '../../../generated/charge/v1/money.ts';
import { parseScaled } from '../money.ts';
import type { Draft, Fail, Reader, SetCount } from './draft.ts';
import { isSummaryWord } from './summary.ts';
import { explainTime, parseTimestamp } from './timestamp.ts';
import {
  parseCallOutcome,
  parseChargeType,
  parseCount,
  parseProvider,
  parseServiceTier,
  quote,
} from './values.ts';

type NamesOf<V> = { [K in keyof Charge]: Charge[K] extends V ? K : never }[keyof Charge];
type TextName = Exclude<NamesOf<string>, 'id' | 'amends' | 'replacedBy' | 'importId'>;

export function text(name: TextName): Reader {
  return ({ charge }, value) => void (charge[name] = value);
}

export function detail(name: keyof TokenDetails): SetCount {
  return ({ charge }, tokens) => {
    charge.tokenDetails ??= TokenDetails.fromPartial({});
    charge.tokenDetails[name] = tokens;
  };
}

export function quantity(kind: UsageKind): SetCount {
  return ({ quantities }, amount) => void quantities.set(kind, amount);
}

export function readOffset(unitMs: number): Reader {
  return (draft, value, fail) => {
    if (/^\d{1,12}(\.\d+)?$/.test(value)) draft.offsetMs = Number(value) * unitMs;
    else fail('import.time', `${quote(value)} is not a number of seconds or milliseconds`);
  };
}

export function readCount(set: SetCount): Reader {
  return (draft, value, fail) => {
    const count = parseCount(value.trim());
    if (typeof count === 'bigint') set(draft, count);
    else fail('import.count', count.reason);
  };
}

export function readProvider({ charge, otherProviders }: Draft, value: string, fail: Fail): void {
  const provider = parseProvider(value.trim());
  if (provider !== undefined) charge.provider = provider;
  else if (otherProviders) {
    charge.provider = Provider.PROVIDER_OTHER;
    charge.otherProvider = value.trim();
  } else {
    const hint = 'is not a provider of the contract; with --other-providers it is recorded as PROVIDER_OTHER';
    fail('import.enum', `${quote(value)} ${hint}`);
  }
}

export function readChargeType({ charge }: Draft, value: string, fail: Fail): void {
  const type = parseChargeType(value.trim());
  if (type === undefined) fail('import.enum', `${quote(value)} is not completion, plugin or tool`);
  else charge.chargeType = type;
}

/** A report may sum up the models of each day, in a row that has its time. */
export function readModel({ charge }: Draft, value: string, fail: Fail): void {
  if (/^all$/i.test(value.trim()) || isSummaryWord(value))
    fail('import.sum', `${quote(value)} is no model but a sum of others: it is not charged`);
  else charge.model = value;
}

export function readTime({ charge }: Draft, value: string, fail: Fail): void {
  const time = parseTimestamp(value.trim());
  if (time) charge.usageTime = time;
  else fail('import.time', explainTime(value.trim()));
}

/** `auto` is what was asked for, and does not say how the request was served. */
export function readServiceTier({ charge }: Draft, value: string, fail: Fail): void {
  if (/^auto$/i.test(value.trim())) return;
  const tier = parseServiceTier(value.trim());
  if (tier !== undefined) charge.serviceTier = tier;
  else
    fail(
      'import.enum',
      `${quote(value)} is not standard, batch, flex or priority; --map service_tier= leaves the column out`,
    );
}

export function readCallOutcome({ charge }: Draft, value: string, fail: Fail): void {
  const outcome = parseCallOutcome(value.trim());
  if (outcome === undefined) fail('import.enum', `${quote(value)} is not succeeded, interrupted or failed`);
  else charge.callOutcome = outcome;
}

/** A part of a millisecond is rounded: no provider bills it. */
export function readSeconds(kind: UsageKind): Reader {
  return ({ quantities }, value, fail) => {
    const scaled = parseScaled(value, 3);
    if (typeof scaled === 'string') fail('import.count', `${quote(value)} ${scaled}`);
    else quantities.set(kind, scaled.value);
  };
}

/** What programs write if there is no cost. */
const NO_COST = /^(?:[-–—]|none|null|nan|n\/a|included)$/i;

/** Reads a cost in a unit of 10^-`power` of the currency's billionths. */
export function readCost(power: number): Reader {
  return (draft, value, fail) => {
    const text = value.trim();
    if (NO_COST.test(text)) return;
    const scaled = parseScaled(text.replace(/^(?:US)?\$\s*/, ''), power);
    if (typeof scaled === 'string') return fail('import.cost', `${quote(value)} ${scaled}`);
    draft.reportedNanos = scaled.value;
    draft.isCostRounded = scaled.isRounded;
    if (text.includes('$')) draft.currency ??= 'USD';
  };
}

export function readCurrency(draft: Draft, value: string, fail: Fail): void {
  const currency = value.trim().toUpperCase();
  if (/^[A-Z]{3}$/.test(currency)) draft.currency = currency;
  else fail('import.cost', `${quote(value)} is not the ISO 4217 code of a currency, such as USD`);
}
