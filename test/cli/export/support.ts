/** Charges as the service may have them. */

import fc from 'fast-check';

import {
  CallOutcome,
  Charge,
  ChargeState,
  ChargeType,
  Provider,
  type TokenDetails,
} from '../../../generated/charge/v1/charge.ts';
import type { CreateChargeRequest } from '../../../generated/charge/v1/charge_service.ts';
import { ServiceTier, UsageKind } from '../../../generated/charge/v1/money.ts';
import type { Item } from '../../../src/cli/export/item.ts';
import { timestampOf } from '../../../src/cli/time.ts';

/** Texts that files, spreadsheets and importers have a meaning of their own for. */
const ODD_TEXTS = [
  '=1+1',
  '+1',
  '-1',
  '@SUM(A1)',
  "'",
  '"',
  '""',
  ',',
  ';',
  '\t',
  '\r',
  '\n',
  '\r\n',
  ' ',
  '  a  ',
  'a"b,c\r\nd',
  '\ufeff',
  '\ufeffx\r',
  'null',
  'None',
  '-',
  'n/a',
  'all',
  'Total',
  'sum',
  'request_id',
  '0',
  '00',
  '1,234',
  '1e3',
  'true',
  '{"a":1}',
  '[1]',
  '\\',
  '\u2028',
  '😀',
  '2026-09-01',
  '\u0001',
  '__proto__',
  '#',
  '"unclosed',
  'x\ny\nz',
];

/** A text of the contract: well-formed, without U+0000. */
export function text(maxLength: number, minLength = 0): fc.Arbitrary<string> {
  const odd = fc
    .constantFrom(...ODD_TEXTS)
    .filter((one) => one.length >= minLength && one.length <= maxLength);
  const any = fc
    .string({ unit: 'binary', minLength, maxLength: Math.min(maxLength, 30) })
    .map((one) => one.replaceAll('\0', '').toWellFormed());
  return fc.oneof(odd, any, fc.string({ minLength, maxLength })).filter((one) => one.length >= minLength);
}

const count = (max: bigint): fc.Arbitrary<bigint> =>
  fc.oneof(fc.bigInt({ min: 0n, max: 5000n }), fc.bigInt({ min: 0n, max }), fc.constant(max));

function enumOf<T extends number>(
  values: Readonly<Record<string, T>>,
  except: readonly number[] = [],
): fc.Arbitrary<T> {
  return fc.constantFrom(...Object.values(values).filter((value) => value >= 0 && !except.includes(value)));
}

const QUANTITIES = Object.values(UsageKind).filter((kind) => kind >= 20);
const MICROS_MAX = 1_795_000_000_000_000n;
const TOKENS_MAX = 1_000_000_000_000_000_000n;

/** What a caller may say, by the rules of the contract. */
export const content: fc.Arbitrary<Charge> = fc
  .record({
    userProfile: text(255, 1),
    sessionKey: text(255),
    provider: enumOf(Provider, [0]),
    otherProvider: text(255, 1),
    chargeType: enumOf(ChargeType, [0]),
    promptTokens: count(TOKENS_MAX),
    completionTokens: count(TOKENS_MAX),
    moreTokens: fc.oneof(fc.constant(0n), count(TOKENS_MAX)),
    parts: fc.option(fc.array(fc.bigInt({ min: 0n, max: 3n }), { minLength: 8, maxLength: 8 }), {
      nil: undefined,
    }),
    model: text(255, 1),
    reference: text(255),
    labels: fc.uniqueArray(fc.tuple(text(63, 1), text(255)), { selector: ([key]) => key, maxLength: 4 }),
    usageMicros: fc.oneof(
      fc.bigInt({ min: -62_135_596_800_000_000n, max: MICROS_MAX }),
      fc.bigInt({ min: 1_700_000_000_000_000n, max: MICROS_MAX }),
    ),
    serviceTier: enumOf(ServiceTier, [0]),
    region: text(63),
    quantities: fc.uniqueArray(
      fc.record({ kind: fc.constantFrom(...QUANTITIES), amount: fc.bigInt({ min: 1n, max: 10n ** 15n }) }),
      { selector: ({ kind }) => kind, maxLength: 7 },
    ),
    reportedCost: fc.option(
      fc.record({
        currencyCode: fc.constantFrom('USD', 'EUR', 'JPY'),
        nanos: count(9_223_372_036_854_775_807n),
      }),
      { nil: undefined },
    ),
    callOutcome: enumOf(CallOutcome),
  })
  .map(({ moreTokens, parts, usageMicros, labels, ...said }) => ({
    ...Charge.fromPartial({}),
    ...said,
    otherProvider: said.provider === Provider.PROVIDER_OTHER ? said.otherProvider : '',
    totalTokens: said.promptTokens + said.completionTokens + moreTokens,
    tokenDetails: parts && detailsWithin(said, parts),
    labels: new Map(labels),
    usageTime: timestampOf(usageMicros),
    quantities: said.quantities.sort((a, b) => a.kind - b.kind),
  }));

/** Parts that do not exceed the counts which include them. */
function detailsWithin(
  { promptTokens, completionTokens }: Pick<Charge, 'promptTokens' | 'completionTokens'>,
  parts: readonly bigint[],
): TokenDetails {
  const some = (index: number, of: bigint): bigint => ((parts[index] ?? 0n) * of) / 9n;
  return {
    cacheReadTokens: some(0, promptTokens),
    cacheWrite5mTokens: some(1, promptTokens),
    cacheWrite1hTokens: some(2, promptTokens),
    reasoningTokens: some(3, completionTokens),
    audioInputTokens: some(4, promptTokens),
    audioOutputTokens: some(5, completionTokens),
    imageInputTokens: some(6, promptTokens),
    imageOutputTokens: some(7, completionTokens),
  };
}

const requestId = fc.oneof(
  fc.uuid(),
  fc.constantFrom('none', '-', ' a ', 'null', ',', '"', '=1', ' ', 'n/a', '0'),
  fc.string({ minLength: 1, maxLength: 128 }),
);

/** Requests with ids of their own. */
export const requests: fc.Arbitrary<CreateChargeRequest[]> = fc.uniqueArray(
  fc.record({ requestId, charge: content, importId: fc.constant('') }),
  { selector: ({ requestId: id }) => id, minLength: 1, maxLength: 30 },
);

/** The request as an exported charge that counts. */
export function exported({ requestId: id, charge }: CreateChargeRequest, more: Partial<Charge> = {}): Item {
  const set = {
    id: '0190a0e0-0000-7000-8000-000000000001',
    createTime: timestampOf(1_795_000_000_123_000n),
    updateTime: timestampOf(1_795_000_000_123_000n),
    state: ChargeState.CHARGE_STATE_ACTIVE,
  };
  return { requestId: id, charge: { ...(charge ?? Charge.fromPartial({})), ...set, ...more } };
}
