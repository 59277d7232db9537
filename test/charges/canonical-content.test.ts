import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { contentHash, firstDifference } from '../../src/charges/canonical-content.ts';
import type { Charge, ChargeContent } from '../../src/charges/charge.ts';
import { NOT_PRICED } from '../../src/prices/index.ts';

const count = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });
const text = fc.string({ unit: fc.constantFrom('a', 'b', ';', ':', '1', '-', 'é', '👩'), maxLength: 6 });
const content: fc.Arbitrary<ChargeContent> = fc.record({
  userProfile: text,
  sessionKey: text,
  provider: fc.integer({ min: 1, max: 17 }),
  otherProvider: text,
  chargeType: fc.integer({ min: 1, max: 3 }),
  promptTokens: count,
  completionTokens: count,
  totalTokens: count,
  tokenDetails: fc.option(
    fc.record({
      cacheReadTokens: count,
      cacheWrite5mTokens: count,
      cacheWrite1hTokens: count,
      reasoningTokens: count,
      audioInputTokens: count,
      audioOutputTokens: count,
      imageInputTokens: count,
      imageOutputTokens: count,
    }),
    { nil: undefined },
  ),
  model: text,
  reference: text,
  labels: fc
    .uniqueArray(fc.tuple(text, text), { maxLength: 4, selector: ([key]) => key })
    .map((e) => new Map(e)),
  usageTimeMicros: fc.option(fc.bigInt({ min: -(10n ** 12n), max: 10n ** 18n }), { nil: undefined }),
  serviceTier: fc.integer({ min: 1, max: 4 }),
  region: text,
  quantities: fc
    .uniqueArray(fc.tuple(fc.integer({ min: 20, max: 26 }), count), {
      maxLength: 3,
      selector: ([kind]) => kind,
    })
    .map((e) => new Map(e)),
  reportedCost: fc.option(fc.record({ currencyCode: fc.constantFrom('USD', 'EUR'), nanos: count }), {
    nil: undefined,
  }),
  callOutcome: fc.integer({ min: 0, max: 3 }),
});

const hex = (value: ChargeContent): string => contentHash(value);
const plain = (value: ChargeContent): unknown => ({
  ...value,
  labels: [...value.labels].sort(),
  quantities: [...value.quantities].sort(([a], [b]) => a - b),
});
const stored = (value: ChargeContent): Charge => ({
  ...value,
  ...NOT_PRICED,
  id: '',
  amends: '',
  importId: '',
  createTimeMicros: 5n,
  usageTimeMicros: value.usageTimeMicros ?? 5n,
});

describe('the content hash', () => {
  test('is the same for the same content, whatever the order of labels', () => {
    fc.assert(
      fc.property(content, (value) => {
        const shuffled = {
          ...value,
          labels: new Map([...value.labels].reverse()),
          quantities: new Map([...value.quantities].reverse()),
        };
        expect(hex(shuffled)).toBe(hex(value));
      }),
    );
  });

  test('differs for different content', () => {
    fc.assert(
      fc.property(content, content, (a, b) => {
        const same = JSON.stringify(plain(a), stringify) === JSON.stringify(plain(b), stringify);
        expect(hex(a) === hex(b)).toBe(same);
      }),
    );
  });

  test('differs when any one field changes, and the difference names that field', () => {
    fc.assert(
      fc.property(content, (value) => {
        for (const [change, field] of CHANGES) {
          const changed = { ...value, ...change(value) };
          expect(hex(changed)).not.toBe(hex(value));
          expect(firstDifference(stored(value), changed)).toBe(field);
        }
      }),
    );
  });

  test('does not confuse where one text ends and the next begins', () => {
    const base = { ...example(), userProfile: 'a', sessionKey: 'b;1:c' };
    expect(hex(base)).not.toBe(hex({ ...base, userProfile: 'a;5:b', sessionKey: '1:c' }));
  });

  // Stored hashes are compared for ever: this value must never change.
  test('of version 1 is what it has always been', () => {
    expect(hex(example())).toMatchInlineSnapshot(`"02d05e2c561393366fb512450ba2005e"`);
  });
});

const CHANGES: [(value: ChargeContent) => Partial<ChargeContent>, string][] = [
  [(v) => ({ userProfile: `${v.userProfile}x` }), 'user_profile'],
  [(v) => ({ sessionKey: `${v.sessionKey}x` }), 'session_key'],
  [(v) => ({ provider: v.provider + 1 }), 'provider'],
  [(v) => ({ otherProvider: `${v.otherProvider}x` }), 'other_provider'],
  [(v) => ({ chargeType: v.chargeType + 1 }), 'charge_type'],
  [(v) => ({ promptTokens: v.promptTokens + 1n }), 'prompt_tokens'],
  [(v) => ({ completionTokens: v.completionTokens + 1n }), 'completion_tokens'],
  [(v) => ({ totalTokens: v.totalTokens + 1n }), 'total_tokens'],
  [(v) => ({ model: `${v.model}x` }), 'model'],
  [(v) => ({ reference: `${v.reference}x` }), 'reference'],
  [(v) => ({ labels: new Map([...v.labels, ['new"key', '']]) }), 'labels["new\\"key"]'],
  [(v) => ({ serviceTier: v.serviceTier + 1 }), 'service_tier'],
  [(v) => ({ region: `${v.region}x` }), 'region'],
  [(v) => ({ quantities: new Map([...v.quantities, [27, 1n]]) }), 'quantities'],
  [(v) => ({ reportedCost: { currencyCode: 'GBP', nanos: v.reportedCost?.nanos ?? 0n } }), 'reported_cost'],
  [(v) => ({ callOutcome: v.callOutcome + 1 }), 'call_outcome'],
  [(v) => ({ usageTimeMicros: (v.usageTimeMicros ?? 0n) + 1n }), 'usage_time'],
  [(v) => ({ usageTimeMicros: v.usageTimeMicros === undefined ? 5n : undefined }), 'usage_time'],
];

function example(): ChargeContent {
  return {
    userProfile: 'alice',
    sessionKey: '',
    provider: 1,
    otherProvider: '',
    chargeType: 1,
    promptTokens: 374n,
    completionTokens: 44n,
    totalTokens: 418n,
    tokenDetails: undefined,
    model: 'gpt-4o',
    reference: '',
    labels: new Map([['team', 'red']]),
    usageTimeMicros: undefined,
    serviceTier: 1,
    region: '',
    quantities: new Map(),
    reportedCost: undefined,
    callOutcome: 0,
  };
}

function stringify(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value;
}
