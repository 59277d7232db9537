/** The fast predicate and the contract's rules give the same verdict. */

import { createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { createValidator } from '@bufbuild/protovalidate';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import type {
  CallOutcome,
  Charge,
  ChargeType,
  Provider,
  TokenDetails,
} from '../../../generated/charge/v1/charge.ts';
import { CreateChargeRequest } from '../../../generated/charge/v1/charge_service.ts';
import type { ServiceTier, UsageKind } from '../../../generated/charge/v1/money.ts';
import { readContractImage } from '../../../src/grpc/contract-image.ts';
import { isWellFormedTimestamp } from '../../../src/grpc/timestamp.ts';
import { ContractRules } from '../../../src/grpc/validation.ts';
import { isValidCreateChargeRequest } from '../../../src/charges/rpc/fast-charge-rules.ts';

const image = readContractImage();
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
const schema = registry.getMessage('charge.v1.CreateChargeRequest');
if (schema === undefined) throw new Error('no schema');
const validator = createValidator({ registry });
const violations = new ContractRules(image).checkOf('charge.v1.CreateChargeRequest', CreateChargeRequest);

const VALID_CHARGE: Charge = {
  id: '',
  userProfile: 'u',
  sessionKey: '',
  provider: 1,
  otherProvider: '',
  chargeType: 1,
  promptTokens: 10n,
  completionTokens: 5n,
  totalTokens: 0n,
  tokenDetails: undefined,
  model: 'm',
  reference: '',
  labels: new Map(),
  usageTime: undefined,
  createTime: undefined,
  updateTime: undefined,
  serviceTier: 0,
  region: '',
  quantities: [],
  reportedCost: undefined,
  cost: undefined,
  state: 0,
  amends: '',
  replacedBy: '',
  callOutcome: 0,
  importId: '',
};

/** What protovalidate itself says about the bytes. */
function contractVerdict(request: CreateChargeRequest): boolean {
  const bytes = CreateChargeRequest.encode(request).finish();
  return validator.validate(schema as never, fromBinary(schema as never, bytes)).kind === 'valid';
}

const INT64_MAX = 2n ** 63n - 1n;
const character = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('a', ' ', '~', '"', 'é', '\n', '\uFFFD', '😀', '𝒳', '\u{10FFFF}') },
  { weight: 1, arbitrary: fc.constantFrom('\0', '\u0001', '\u007f') },
);

/** Texts around a bound, counted in code points: mostly of one kind of character, to be at its length exactly. */
function textAround(max: number): fc.Arbitrary<string> {
  const length = fc.constantFrom(0, 1, 2, max - 1, max, max + 1, 2 * max, 2 * max + 1);
  return fc
    .tuple(length, character, character, fc.nat(3))
    .map(([count, bulk, odd, oddCount]) =>
      count === 0
        ? ''
        : odd.repeat(Math.min(oddCount, count)) + bulk.repeat(count - Math.min(oddCount, count)),
    );
}

const text = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('', 'x') },
  { weight: 1, arbitrary: textAround(255) },
);
const count = fc.oneof(
  { weight: 4, arbitrary: fc.bigInt(0n, 12n) },
  { weight: 1, arbitrary: fc.constantFrom(-1n, INT64_MAX, INT64_MAX - 1n, INT64_MAX / 2n, -INT64_MAX - 1n) },
);
const part = fc.oneof(
  { weight: 6, arbitrary: fc.bigInt(0n, 4n) },
  { weight: 1, arbitrary: fc.constantFrom(-1n, INT64_MAX, 12n) },
);
const number = (values: number[], odd: number[]) =>
  fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(...values) },
    { weight: 1, arbitrary: fc.constantFrom(...odd) },
  );
const provider = number([1, 2, 18, 100, 100], [0, -1, 19, 99, 101, 2 ** 31 - 1, -(2 ** 31)]);
const chargeType = number([1, 2, 3], [0, -1, 4, 2 ** 31 - 1]);
const tokenDetails: fc.Arbitrary<TokenDetails | undefined> = fc.option(
  fc.record({
    cacheReadTokens: part,
    cacheWrite5mTokens: part,
    cacheWrite1hTokens: part,
    reasoningTokens: part,
    audioInputTokens: part,
    audioOutputTokens: part,
    imageInputTokens: part,
    imageOutputTokens: part,
  }),
  { nil: undefined },
);
const label = fc.tuple(
  fc.oneof(
    { weight: 3, arbitrary: fc.string({ minLength: 1, maxLength: 3, unit: 'grapheme-ascii' }) },
    { weight: 1, arbitrary: textAround(63) },
  ),
  text,
);
const labels = fc
  .oneof(
    { weight: 3, arbitrary: fc.array(label, { maxLength: 3 }) },
    {
      weight: 1,
      arbitrary: fc
        .constantFrom(15, 16, 17)
        .map((n) => Array.from({ length: n }, (_, i): [string, string] => [`k${i}`, ''])),
    },
  )
  .map((entries) => new Map(entries));

/** Offsets from now keep 30 s from the edge of 24 hours, so that the clock cannot decide a run. */
const usageTime = fc.option(
  fc.tuple(
    fc.oneof(
      fc.constantFrom(
        -62_135_596_800n,
        -62_135_596_801n,
        -1n,
        0n,
        253_402_300_799n,
        253_402_300_800n,
        INT64_MAX,
        -INT64_MAX,
      ),
      fc
        .constantFrom(-86_400, 0, 86_400 - 30, 86_400 + 30)
        .map((s) => BigInt(Math.floor(Date.now() / 1000) + s)),
    ),
    number([0, 1, 999_999_999], [-1, 1_000_000_000, 2 ** 31 - 1]),
  ),
  { nil: undefined },
);

const quantity = fc.record({
  kind: number([20, 23, 26], [0, 9, 11, 19, 27, -1]) as fc.Arbitrary<UsageKind>,
  amount: fc.constantFrom(1n, 1n, 10n ** 15n, 10n ** 15n + 1n, 0n, -1n),
});
/** One of each kind, two of a kind, and more than the kinds that there are. */
const quantities = fc.oneof(
  fc.array(quantity, { maxLength: 2 }),
  fc
    .constantFrom(7, 8, 9)
    .map((n) => Array.from({ length: n }, (_, i) => ({ kind: (20 + i) as UsageKind, amount: 1n }))),
);

const fields = fc.record({
  userProfile: textAround(255),
  sessionKey: text,
  provider: provider as fc.Arbitrary<Provider>,
  otherProvider: text,
  chargeType: chargeType as fc.Arbitrary<ChargeType>,
  promptTokens: count,
  completionTokens: count,
  totalTokens: fc.oneof(count, fc.constant(0n), fc.bigInt(12n, 20n)),
  tokenDetails,
  model: text,
  reference: text,
  labels,
  serviceTier: number([0, 1, 4], [-1, 5, 2 ** 31 - 1]) as fc.Arbitrary<ServiceTier>,
  callOutcome: number([0, 1, 3], [-1, 4, 2 ** 31 - 1]) as fc.Arbitrary<CallOutcome>,
  region: fc.oneof(fc.constantFrom('', 'eu'), textAround(63)),
  quantities,
  reportedCost: fc.option(
    fc.record({
      currencyCode: fc.constantFrom('USD', 'EUR', 'usd', 'XXX', '', 'US', 'DEM'),
      nanos: fc.constantFrom(0n, 1n, INT64_MAX, -1n),
    }),
    { nil: undefined },
  ),
  usageTime: usageTime.map((time) => time && { seconds: time[0], nanos: time[1] }),
});

const FIELDS = Object.keys(fc.sample(fields, 1)[0] ?? {});

/** A valid charge with up to five fields replaced, so that valid ones and single violations are common. */
const charge: fc.Arbitrary<Charge> = fc
  .tuple(fields, fc.subarray([...FIELDS], { maxLength: 5 }), fc.boolean())
  .map(([made, chosen, consistent]) => {
    const changes = Object.entries(made).filter(([field]) => chosen.includes(field));
    const changed: Charge = { ...VALID_CHARGE, ...Object.fromEntries(changes) };
    return consistent ? { ...changed, otherProvider: changed.provider === 100 ? 'acme' : '' } : changed;
  });

const requestId = fc.oneof(
  { weight: 5, arbitrary: fc.constant('r-1') },
  { weight: 1, arbitrary: textAround(128) },
);
const request: fc.Arbitrary<CreateChargeRequest> = fc.record({
  charge: fc.option(charge, { nil: undefined, freq: 50 }),
  requestId,
  importId: fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom('', '0190a0e0-0000-7000-8000-00000000000a') },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        'x',
        '0190A0E0-0000-7000-8000-00000000000A',
        '0190a0e000007000800000000000000a',
        '{0190a0e0-0000-7000-8000-000000000001}',
      ),
    },
  ),
});

test('fast and contract verdicts agree around every bound', () => {
  const verdicts = { valid: 0, invalid: 0 };
  fc.assert(
    fc.property(request, (made) => {
      const fast = isValidCreateChargeRequest(made, Date.now());
      verdicts[fast ? 'valid' : 'invalid']++;
      expect(fast).toBe(violations(made).length === 0);
      const time = made.charge?.usageTime;
      // Rules cannot see a malformed Timestamp; the check of the contract refuses it instead.
      if (time === undefined || isWellFormedTimestamp(time)) expect(fast).toBe(contractVerdict(made));
      else expect(fast).toBe(false);
    }),
    { numRuns: 4000 },
  );
  // Both sides are seen often enough for the property to mean something.
  expect(verdicts.valid).toBeGreaterThan(500);
  expect(verdicts.invalid).toBeGreaterThan(1000);
});

const VALID: CreateChargeRequest = { requestId: 'r-1', charge: VALID_CHARGE, importId: '' };

const NO_DETAILS: TokenDetails = {
  cacheReadTokens: 0n,
  cacheWrite5mTokens: 0n,
  cacheWrite1hTokens: 0n,
  reasoningTokens: 0n,
  audioInputTokens: 0n,
  audioOutputTokens: 0n,
  imageInputTokens: 0n,
  imageOutputTokens: 0n,
};

test.each<[string, Partial<Charge>, string]>([
  ['charge.provider', { provider: 19 as Provider }, 'enum.defined_only'],
  ['charge.provider', { provider: 0 }, 'enum.not_in'],
  ['charge', { provider: 100 }, 'charge.other_provider_required'],
  ['charge', { otherProvider: 'x' }, 'charge.other_provider_unexpected'],
  ['charge', { model: '' }, 'charge.model_required'],
  ['charge', { totalTokens: 14n }, 'charge.total_tokens_too_small'],
  ['charge', { promptTokens: INT64_MAX, completionTokens: 1n }, 'charge.tokens_overflow'],
  ['charge', { tokenDetails: { ...NO_DETAILS, cacheReadTokens: 11n } }, 'charge.cache_tokens_exceed_prompt'],
  [
    'charge',
    { tokenDetails: { ...NO_DETAILS, cacheReadTokens: 4n, cacheWrite5mTokens: 4n, cacheWrite1hTokens: 3n } },
    'charge.cache_tokens_exceed_prompt',
  ],
  [
    'charge',
    { tokenDetails: { ...NO_DETAILS, audioInputTokens: 11n } },
    'charge.audio_input_tokens_exceed_prompt',
  ],
  [
    'charge',
    { tokenDetails: { ...NO_DETAILS, reasoningTokens: 6n } },
    'charge.reasoning_tokens_exceed_completion',
  ],
  [
    'charge',
    { tokenDetails: { ...NO_DETAILS, audioOutputTokens: 6n } },
    'charge.audio_output_tokens_exceed_completion',
  ],
  [
    'charge.token_details.reasoning_tokens',
    { tokenDetails: { ...NO_DETAILS, reasoningTokens: -1n } },
    'int64.gte',
  ],
  [
    'charge',
    { tokenDetails: { ...NO_DETAILS, imageInputTokens: 11n } },
    'charge.image_input_tokens_exceed_prompt',
  ],
  [
    'charge',
    { tokenDetails: { ...NO_DETAILS, imageOutputTokens: 6n } },
    'charge.image_output_tokens_exceed_completion',
  ],
  ['charge.service_tier', { serviceTier: 5 as ServiceTier }, 'enum.defined_only'],
  ['charge.call_outcome', { callOutcome: 4 as CallOutcome }, 'enum.defined_only'],
  ['charge.region', { region: 'x'.repeat(64) }, 'string.max_len'],
  ['charge.quantities[0].kind', { quantities: [{ kind: 1, amount: 1n }] }, 'enum.not_in'],
  ['charge.quantities[0].amount', { quantities: [{ kind: 20, amount: 0n }] }, 'int64.gte_lte'],
  [
    'charge',
    {
      quantities: [
        { kind: 20, amount: 1n },
        { kind: 20, amount: 2n },
      ],
    },
    'charge.quantities_unique',
  ],
  ['charge', { reportedCost: { currencyCode: 'USD', nanos: -1n } }, 'charge.reported_cost_negative'],
  ['charge.reported_cost.currency_code', { reportedCost: { currencyCode: 'XXX', nanos: 1n } }, 'string.in'],
  ['charge.user_profile', { userProfile: '😀'.repeat(256) }, 'string.max_len'],
  ['charge.reference', { reference: 'a\0' }, 'string.pattern'],
  ['charge.labels', { labels: new Map(Array.from({ length: 17 }, (_, i) => [`${i}`, ''])) }, 'map.max_pairs'],
  ['charge.labels["a\\"\\n"]', { labels: new Map([['a"\n', '\0']]) }, 'string.pattern'],
  ['charge.usage_time', { usageTime: { seconds: 253_402_300_800n, nanos: 0 } }, 'charge.usage_time_range'],
  ['charge.usage_time', { usageTime: { seconds: 0n, nanos: -1 } }, 'charge.usage_time_range'],
])('%s %j breaks %s alone', (field, change, rule) => {
  const made = { ...VALID, charge: { ...VALID_CHARGE, ...change } };
  expect(isValidCreateChargeRequest(made, Date.now())).toBe(false);
  expect(violations(made).map((violation) => [violation.field, violation.rule])).toEqual([[field, rule]]);
});

test('texts count in code points, and nothing is wrong with the longest', () => {
  const longest = '😀'.repeat(255);
  const made = {
    ...VALID,
    charge: {
      ...VALID_CHARGE,
      userProfile: longest,
      model: longest,
      labels: new Map([['𝒳'.repeat(63), longest]]),
    },
  };
  expect(isValidCreateChargeRequest(made, Date.now())).toBe(true);
  expect(violations(made)).toEqual([]);
});

test('usage may be a day ahead of the clock that the request met', () => {
  const nowMs = 1_700_000_000_000;
  const at = (seconds: bigint, nanos: number) => ({
    ...VALID,
    charge: { ...VALID_CHARGE, usageTime: { seconds, nanos } },
  });
  expect(isValidCreateChargeRequest(at(1_700_086_400n, 0), nowMs)).toBe(true);
  expect(isValidCreateChargeRequest(at(1_700_086_400n, 1_000_000), nowMs)).toBe(false);
});
