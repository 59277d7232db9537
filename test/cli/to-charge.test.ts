import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ChargeType, Provider } from '../../generated/charge/v1/charge.ts';
import { Unusable, type Cell } from '../../src/cli/import/row.ts';
import { toCharge, type ChargeTemplate } from '../../src/cli/import/to-charge.ts';
import { parseChargeType, parseCount, parseProvider } from '../../src/cli/import/values.ts';
import { field } from './support/in-process.ts';

const NO_TEMPLATE: ChargeTemplate = { constants: [], defaults: {}, otherProviders: false };
const COMPLETION: ChargeTemplate = { ...NO_TEMPLATE, constants: [[field('charge_type'), 'completion']] };

function convert(row: Record<string, Cell>, template: ChargeTemplate = NO_TEMPLATE) {
  return toCharge(
    Object.keys(row).map((name) => [field(name)]),
    Object.values(row),
    template,
  );
}

function violationsOf(row: Record<string, Cell>, template?: ChargeTemplate): string[] {
  const result = convert(row, template);
  return 'violations' in result
    ? result.violations.map((violation) => `${violation.field} ${violation.description}`)
    : [];
}

function chargeOf(row: Record<string, Cell>, template?: ChargeTemplate) {
  const result = convert(row, template);
  if ('violations' in result) throw new Error(JSON.stringify(result.violations));
  return result.charge;
}

test('every field arrives where it belongs', () => {
  const charge = chargeOf({
    user_profile: 'ann',
    session_key: 's',
    provider: 'OpenAI',
    charge_type: 'completion',
    prompt_tokens: '10',
    completion_tokens: '9007199254740993',
    total_tokens: '9223372036854775807',
    cache_read_tokens: '4',
    model: 'gpt-4',
    reference: 'r',
    usage_time: '2023-11-16 18:15:46.6805900',
    'label.team': 'a',
    'label.none': '',
  });
  expect(charge).toMatchObject({
    userProfile: 'ann',
    sessionKey: 's',
    provider: Provider.PROVIDER_OPENAI,
    chargeType: ChargeType.CHARGE_TYPE_COMPLETION,
    promptTokens: 10n,
    completionTokens: 9_007_199_254_740_993n,
    totalTokens: 9_223_372_036_854_775_807n,
    tokenDetails: { cacheReadTokens: 4n, reasoningTokens: 0n },
    model: 'gpt-4',
    reference: 'r',
    usageTime: { nanos: 680_590_000 },
  });
  expect([...charge.labels]).toEqual([['team', 'a']]);
});

test('a label may be called __proto__', () => {
  expect([...chargeOf({ ['label.__proto__']: 'x' }).labels]).toEqual([['__proto__', 'x']]);
});

test.each(['1.234', '1.5', '-', '-5', '0x10', 'ten', '9223372036854775808', '1'.repeat(5000), '１２'])(
  'the count %j is refused with a reason',
  (text) => {
    expect(violationsOf({ prompt_tokens: text })[0]).toMatch(/^charge\.prompt_tokens "/);
  },
);

test('every count of 64 bits is read exactly', () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 2n ** 63n - 1n), (count) => void expect(parseCount(String(count))).toBe(count)),
  );
  expect(parseCount('000000000000000000000000007')).toBe(7n);
});

test('every fault of a row is reported, not only the first', () => {
  const faults = violationsOf({
    prompt_tokens: 'x',
    provider: 'opnai',
    charge_type: '?',
    usage_time: '',
    model: new Unusable('an array'),
  });
  expect(faults).toEqual([
    'charge.prompt_tokens "x" is not a whole number written in digits',
    'charge.provider "opnai" is not a provider of the contract; with --other-providers it is recorded as PROVIDER_OTHER',
    'charge.charge_type "?" is not completion, plugin or tool',
    'charge.usage_time is empty',
    'charge.model is an array, not a single value',
  ]);
});

test('text that UTF-8 cannot carry is refused instead of changed', () => {
  expect(violationsOf({ user_profile: 'a\ud800' })).toEqual([
    'charge.user_profile is not well-formed Unicode',
  ]);
});

test('a completion needs its counts: empty is refused, 0 is not, NDJSON may leave out a zero', () => {
  expect(violationsOf({ prompt_tokens: '', completion_tokens: '5' }, COMPLETION)).toEqual([
    'charge.prompt_tokens is empty: write 0 for a completion that used none',
  ]);
  expect(violationsOf({ prompt_tokens: undefined, completion_tokens: undefined }, COMPLETION)).toEqual([
    'charge.prompt_tokens the row has no token count at all',
  ]);
  expect(violationsOf({ prompt_tokens: '0', completion_tokens: undefined }, COMPLETION)).toEqual([]);
  expect(violationsOf({ prompt_tokens: '', charge_type: 'tool' })).toEqual([]);
});

test('enum values are taken in any common spelling', () => {
  for (const [name, value] of Object.entries(Provider).filter(([, number]) => number > 0)) {
    const short = name.slice('PROVIDER_'.length);
    for (const text of [name, short, short.toLowerCase(), short.replaceAll('_', ' ')])
      expect(parseProvider(text)).toBe(value);
  }
  expect(parseProvider('aws.bedrock')).toBe(Provider.PROVIDER_AWS_BEDROCK);
  expect(parseProvider('Azure OpenAI')).toBe(Provider.PROVIDER_AZURE_AI_OPENAI);
  expect(parseProvider('metaai')).toBe(Provider.PROVIDER_META_AI);
  expect(parseChargeType('Prompt Completion')).toBe(ChargeType.CHARGE_TYPE_COMPLETION);
  for (const text of ['', '1', 'unspecified', 'UNRECOGNIZED', 'constructor', 'toString']) {
    expect(parseProvider(text)).toBeUndefined();
    expect(parseChargeType(text)).toBeUndefined();
  }
});

test('with --other-providers an unknown provider keeps its name', () => {
  const charge = chargeOf({ provider: 'together.ai' }, { ...NO_TEMPLATE, otherProviders: true });
  expect(charge).toMatchObject({ provider: Provider.PROVIDER_OTHER, otherProvider: 'together.ai' });
});

test('defaults fill what the row leaves open, and never replace what it says', () => {
  const defaults = {
    user_profile: 'import',
    provider: Provider.PROVIDER_OTHER,
    other_provider: 'unknown',
    charge_type: 1,
    model: 'unknown',
  } as const;
  const template = { ...NO_TEMPLATE, defaults };
  expect(chargeOf({ prompt_tokens: '1' }, template)).toMatchObject({
    userProfile: 'import',
    otherProvider: 'unknown',
    model: 'unknown',
    chargeType: 1,
  });
  expect(chargeOf({ provider: 'openai', charge_type: 'tool' }, template)).toMatchObject({
    provider: 1,
    otherProvider: '',
    chargeType: 3,
    model: '',
  });
});

test('no text makes the conversion throw', () => {
  const names = [
    'user_profile',
    'provider',
    'charge_type',
    'prompt_tokens',
    'usage_time',
    'label.x',
    'cache_read_tokens',
  ];
  const cell = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constant(undefined),
    fc.constant(new Unusable('an array')),
  );
  fc.assert(
    fc.property(fc.array(cell, { minLength: names.length, maxLength: names.length }), (cells) => {
      const result = toCharge(
        names.map((name) => [field(name)]),
        cells,
        NO_TEMPLATE,
      );
      expect('charge' in result || result.violations.length > 0).toBe(true);
    }),
  );
});
