import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ChargeType, Provider } from '../../generated/charge/v1/charge.ts';
import { Unusable, type Cell } from '../../src/cli/import/row.ts';
import type { Places } from '../../src/cli/import/settle-parts.ts';
import { toCharge, type ChargeTemplate } from '../../src/cli/import/to-charge.ts';
import { parseChargeType, parseCount, parseProvider } from '../../src/cli/import/values.ts';
import { field } from './support/in-process.ts';

/** A tool needs no counts and no model. */
const TOOL: ChargeTemplate = {
  constants: [[field('charge_type'), 'tool']],
  otherProviders: false,
  takesImportTime: true,
  takesInside: false,
};
const COMPLETION: ChargeTemplate = { ...TOOL, constants: [[field('model'), 'm']] };

function convert(row: Record<string, Cell>, template = TOOL, places: Partial<Places> = {}) {
  const assignments = Object.keys(row).map((name, index) => ({ field: field(name), choices: [[index]] }));
  const plan = { assignments, places: { cache: undefined, reasoning: undefined, ...places } };
  return toCharge(plan, Object.values(row), template);
}

function violationsOf(row: Record<string, Cell>, template = TOOL): string[] {
  const result = convert(row, template);
  return 'violations' in result
    ? result.violations.map((violation) => `${violation.field} ${violation.description}`)
    : [];
}

function chargeOf(row: Record<string, Cell>, template = TOOL, places: Partial<Places> = {}) {
  const result = convert(row, template, places);
  if ('violations' in result) throw new Error(JSON.stringify(result.violations));
  return result.charge;
}

test('every field arrives where it belongs', () => {
  const row = {
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
  };
  const charge = chargeOf(row, TOOL, { cache: 'inside' });
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
    usage_time: 'y',
    model: new Unusable('an array'),
  });
  expect(faults).toEqual([
    'charge.prompt_tokens "x" is not a whole number written in digits',
    'charge.provider "opnai" is not a provider of the contract; with --other-providers it is recorded as PROVIDER_OTHER',
    'charge.charge_type "?" is not completion, plugin or tool',
    'charge.usage_time "y" is not a time such as 2026-09-01T10:00:00Z',
    'charge.model is an array, not a single value',
  ]);
});

test('text that UTF-8 cannot carry is refused instead of changed', () => {
  expect(violationsOf({ user_profile: 'a\ud800' })).toEqual([
    'charge.user_profile is not well-formed Unicode',
  ]);
});

test('nothing of a completion is invented: not its counts, not its model, not its time', () => {
  const time = { usage_time: '2026-09-01' };
  const strict = { ...COMPLETION, constants: [], takesImportTime: false };
  expect(
    violationsOf({ prompt_tokens: '', completion_tokens: undefined, model: ' ', usage_time: '' }, strict),
  ).toEqual([
    'charge.prompt_tokens is missing in this row; if that means 0, --set prompt_tokens=0 says so',
    'charge.completion_tokens is missing in this row; if that means 0, --set completion_tokens=0 says so',
    'charge.model is missing in this row; --set model=NAME gives rows without one this model',
    'charge.usage_time is empty; --set usage_time=TIME gives rows without one this time',
  ]);
  expect(violationsOf({ ...time, total_tokens: '5' }, COMPLETION)).toHaveLength(2);
  expect(violationsOf({ ...time, prompt_tokens: '0', completion_tokens: '0', model: 'm' }, strict)).toEqual(
    [],
  );
  expect(violationsOf({ prompt_tokens: '', charge_type: 'tool' }, COMPLETION)).toEqual([]);
});

test.each([
  // prompt, completion, cached, written, reasoning, total; where nothing else says it; prompt and completion as recorded
  ['5000', '300', '1024', '512', '0', '6836', undefined, 6536n, 300n],
  ['5000', '300', '1024', '', '', '5300', undefined, 5000n, 300n],
  ['5000', '300', '1024', '', '', '5300', 'beside', 5000n, 300n],
  ['100', '20', '', '', '15', '135', undefined, 100n, 35n],
  ['100', '20', '10', '', '15', '145', undefined, 110n, 35n],
  ['100', '20', '10', '', '15', '130', 'beside', 110n, 20n],
  ['100', '20', '10', '', '10', '130', 'beside', 110n, 30n],
  ['100', '20', '10', '', '5', '', 'beside', 110n, 25n],
  ['100', '20', '10', '', '5', '999', 'inside', 100n, 20n],
  ['100', '20', '0', '0', '0', '', undefined, 100n, 20n],
] as const)(
  'prompt %s, completion %s, cache read %s and write %s, reasoning %s, total %s (%s)',
  (prompt, completion, read, written, reasoning, total, place, rightPrompt, rightCompletion) => {
    const row = {
      prompt_tokens: prompt,
      completion_tokens: completion,
      cache_read_tokens: read,
      cache_write_tokens: written,
      reasoning_tokens: reasoning,
      total_tokens: total,
    };
    const charge = chargeOf(row, COMPLETION, { cache: place, reasoning: place });
    expect([charge.promptTokens, charge.completionTokens]).toEqual([rightPrompt, rightCompletion]);
  },
);

test('cached or reasoning tokens that may be inside or beside are refused, and taken to be inside if somebody agreed', () => {
  const row = {
    prompt_tokens: '100',
    completion_tokens: '20',
    cache_read_tokens: '10',
    reasoning_tokens: '5',
  };
  expect(violationsOf(row, COMPLETION)).toEqual([
    expect.stringContaining('may include the cached tokens'),
    expect.stringContaining('may include the reasoning tokens'),
  ]);
  const agreed = convert(row, { ...COMPLETION, takesInside: true });
  expect(agreed).toMatchObject({ charge: { promptTokens: 100n }, unsettled: ['cache', 'reasoning'] });
});

test('the first choice with a value fills a field, a sum adds up what is there, and a constant fills the rest', () => {
  const assignments = [
    { field: field('prompt_tokens'), choices: [[0, 1], [2]] },
    { field: field('model'), choices: [[3]] },
  ];
  const plan = { assignments, places: { cache: 'inside', reasoning: 'inside' } as const };
  const template: ChargeTemplate = { ...TOOL, constants: [...TOOL.constants, [field('model'), 'default']] };
  const read = (...cells: Cell[]) => {
    const result = toCharge(plan, cells, template);
    return 'charge' in result
      ? [result.charge.promptTokens, result.charge.model]
      : result.violations[0]?.description;
  };
  expect(read('1,000', '200', '7', 'm')).toEqual([1200n, 'm']);
  expect(read('1000', '', '7', '')).toEqual([1000n, 'default']);
  expect(read('', '200', '7', ' ')).toEqual([7n, 'default']);
  expect(read('1', 'x', '', '')).toContain('"x"');
});

test('what a row says about its event is the same with other flags, labels and columns, and with more digits', () => {
  const row = {
    usage_time: '2026-09-01 10:00:00.1234567',
    user_profile: 'a',
    prompt_tokens: '1',
    completion_tokens: '2',
  };
  const facts = (cells: Record<string, Cell>, template = COMPLETION) => {
    const result = convert(cells, template, { cache: 'beside' });
    return 'facts' in result ? result.facts : result;
  };
  const same = [
    facts(row),
    facts(row, {
      ...COMPLETION,
      constants: [
        [field('model'), 'x'],
        [field('provider'), 'openai'],
      ],
    }),
    facts({
      ...row,
      'label.team': 'x',
      reference: 'r',
      session_key: 's',
      cache_read_tokens: '1',
      total_tokens: '4',
    }),
    facts({ ...row, usage_time: '2026-09-01T10:00:00.123456Z', prompt_tokens: '1.0' }),
  ];
  expect(new Set(same).size).toBe(1);
  const others = [
    { user_profile: 'b' },
    { prompt_tokens: '2' },
    { completion_tokens: '1' },
    { model: 'x' },
    { usage_time: '2026-09-01' },
  ];
  expect(new Set([...same, ...others.map((other) => facts({ ...row, ...other }))]).size).toBe(6);
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
  const charge = chargeOf({ provider: 'together.ai' }, { ...TOOL, otherProviders: true });
  expect(charge).toMatchObject({ provider: Provider.PROVIDER_OTHER, otherProvider: 'together.ai' });
});

test('defaults fill what the row leaves open, and never replace what it says', () => {
  expect(chargeOf({ prompt_tokens: '1', completion_tokens: '1' }, COMPLETION)).toMatchObject({
    userProfile: 'import',
    provider: Provider.PROVIDER_OTHER,
    otherProvider: 'unknown',
    model: 'm',
    chargeType: 1,
  });
  expect(
    chargeOf({ provider: 'openai', charge_type: 'tool' }, { ...COMPLETION, constants: [] }),
  ).toMatchObject({
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
      const result = convert(Object.fromEntries(names.map((name, index) => [name, cells[index]])));
      expect('charge' in result || result.violations.length > 0).toBe(true);
    }),
  );
});

test.each(['Total', 'All models', 'all', 'Summe:'])('a model called %j is a sum of others', (model) => {
  const row = { model, prompt_tokens: '30', completion_tokens: '11', usage_time: '2026-09-01' };
  expect(violationsOf(row)).toEqual([
    `charge.model ${JSON.stringify(model)} is no model but a sum of others: it is not charged`,
  ]);
});
