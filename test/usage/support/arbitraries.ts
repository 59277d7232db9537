/** Random books in which groups, windows and currencies collide, and random questions about them. */

import fc from 'fast-check';

import type { ChargeContent, ChargeFilter } from '../../../src/charges/charge.ts';
import { DIMENSION, ORDER, type UsageQuery, WINDOW } from '../../../src/usage/usage.ts';
import { type NewPrice, USER_PROFILES } from './book.ts';

const at = (text: string): bigint => BigInt(Date.parse(text)) * 1000n;
const HOUR = 3_600_000_000n;
const DAY = 24n * HOUR;

export const IMPORTS = ['01a5b8e2-8d6f-7cc3-98c4-dc0c0c07398f', '01a5b8e2-8d6f-7cc3-98c4-dc0c0c073990'];

/** Around a change of the clocks in Berlin; starts of days in zones, and of quarters of an hour. */
const EDGES = [
  ...[
    '2026-03-28T00:00Z',
    '2026-03-28T18:30Z',
    '2026-03-28T23:00Z',
    '2026-03-29T00:00Z',
    '2026-03-29T01:00Z',
  ],
  ...[
    '2026-03-29T10:15Z',
    '2026-03-29T22:00Z',
    '2026-03-30T00:00Z',
    '2026-03-31T22:00Z',
    '2026-04-01T00:00Z',
  ],
].map(at);
/** Before the times from which PostgreSQL and the program count, and as late as allowed. */
const EXTREMES = [
  ...[
    '0001-01-01T00:00Z',
    '1969-12-31T00:00Z',
    '1969-12-31T23:45Z',
    '1970-01-01T00:00Z',
    '1999-12-31T00:00Z',
  ],
  ...['1999-12-31T23:45Z', '2000-01-01T00:00Z'],
].map(at);
const FUTURE = BigInt(Date.now() + 23 * 3_600_000) * 1000n;

const usageTime = fc.oneof(
  {
    arbitrary: fc
      .tuple(fc.constantFrom(...EDGES), fc.constantFrom(0n, 0n, 1n, -1n, 900_000_000n))
      .map(([a, b]) => a + b),
    weight: 8,
  },
  { arbitrary: fc.bigInt(at('2026-03-27T00:00Z'), at('2026-04-02T00:00Z')), weight: 2 },
  {
    arbitrary: fc.constantFrom(...EXTREMES, ...EXTREMES.slice(1).map((time) => time - 1n), FUTURE),
    weight: 2,
  },
);

const small = fc.bigInt(0n, 50n);
const details = fc.record({
  cacheReadTokens: small,
  cacheWrite5mTokens: small,
  cacheWrite1hTokens: small,
  reasoningTokens: small,
  audioInputTokens: small,
  audioOutputTokens: small,
  imageInputTokens: small,
  imageOutputTokens: small,
});
const LABELS = [
  new Map<string, string>(),
  new Map([['team', 'x']]),
  new Map([
    ['team', 'y'],
    ['a "b\' :tenant', '?'],
  ]),
  new Map([
    ['__proto__', 'p'],
    ['team', ''],
  ]),
];
const LABEL_KEYS = ['team', 'a "b\' :tenant', '__proto__', 'nobody'];
const USERS = ['alice', "bob'); --", 'Zoë', 'zoe'];
const MODELS = ['', 'a', 'b', 'ä'];

export const content: fc.Arbitrary<Partial<ChargeContent>> = fc
  .record({
    userProfile: fc.constantFrom(...USERS),
    sessionKey: fc.constantFrom('', 's', 't'),
    provider: fc.constantFrom(1, 1, 1, 2, 100),
    chargeType: fc.constantFrom(1, 1, 1, 2),
    model: fc.constantFrom(...MODELS),
    reference: fc.constantFrom('', 'r'),
    labels: fc.constantFrom(...LABELS),
    serviceTier: fc.constantFrom(1, 1, 1, 2, 3),
    region: fc.constantFrom('', '', 'eu'),
    callOutcome: fc.constantFrom(0, 0, 1, 2),
    promptTokens: small,
    completionTokens: small,
    more: fc.constantFrom(0n, 0n, 7n),
    tokenDetails: fc.option(details, { nil: undefined }),
    quantities: fc
      .uniqueArray(fc.tuple(fc.integer({ min: 20, max: 26 }), small), {
        maxLength: 2,
        selector: ([kind]) => kind,
      })
      .map((pairs) => new Map(pairs)),
    reportedCost: fc.option(
      fc.record({ currencyCode: fc.constantFrom('EUR', 'USD', 'JPY'), nanos: fc.bigInt(0n, 9n) }),
      { nil: undefined },
    ),
    usageTimeMicros: usageTime,
  })
  .map(({ more, ...content }) => ({
    ...content,
    otherProvider: content.provider === 100 ? content.model || 'x' : '',
    totalTokens: content.promptTokens + content.completionTokens + more,
  }));

const rate = fc.bigInt(0n, 5_000_000n);
const price: fc.Arbitrary<NewPrice> = fc.record({
  model: fc.constantFrom(...MODELS.slice(1)),
  rates: fc.option(fc.record({ 1: rate, 2: rate, 6: rate }), { nil: undefined, freq: 2 }),
});

/** Something that changes a book, or its sums. `target` chooses among the charges that there are. */
export type Step =
  | { readonly do: 'record'; readonly contents: readonly Partial<ChargeContent>[]; readonly importId: string }
  | { readonly do: 'amend'; readonly target: number; readonly content: Partial<ChargeContent> }
  | { readonly do: 'void'; readonly target: number }
  | { readonly do: 'price'; readonly price: NewPrice }
  | { readonly do: 'reprice'; readonly includePriced: boolean }
  | { readonly do: 'follow'; readonly eventsMax: number };

const target = fc.nat({ max: 1_000 });
const record = fc.record({
  do: fc.constant('record' as const),
  contents: fc.array(content, { minLength: 1, maxLength: 6 }),
  importId: fc.constantFrom('', ...IMPORTS),
});
const priceStep = fc.record({ do: fc.constant('price' as const), price });
export const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: record, weight: 5 },
  { arbitrary: fc.record({ do: fc.constant('amend' as const), target, content }), weight: 3 },
  { arbitrary: fc.record({ do: fc.constant('void' as const), target }), weight: 3 },
  { arbitrary: priceStep, weight: 1 },
  { arbitrary: fc.record({ do: fc.constant('reprice' as const), includePriced: fc.boolean() }), weight: 2 },
  {
    arbitrary: fc.record({ do: fc.constant('follow' as const), eventsMax: fc.integer({ min: 1, max: 9 }) }),
    weight: 4,
  },
);
/** A book begins with prices and charges. */
export const firstSteps: fc.Arbitrary<Step[]> = fc
  .tuple(fc.array(priceStep, { minLength: 1, maxLength: 3 }), record, record)
  .map(([prices, ...records]) => [...prices, ...records]);

const moment = fc
  .tuple(fc.constantFrom(...EDGES), fc.constantFrom(0n, 0n, 0n, 1n, -1n, 450_000_000n, -DAY, HOUR))
  .map(([edge, rest]) => edge + rest);
const filter: fc.Arbitrary<ChargeFilter> = fc.record({
  userProfile: fc.constantFrom('', '', '', ...USERS),
  sessionKey: fc.constantFrom('', '', '', '', 's'),
  provider: fc.constantFrom(0, 0, 0, 1, 100),
  chargeType: fc.constantFrom(0, 0, 0, 1),
  model: fc.constantFrom('', '', '', 'a', 'ä'),
  reference: fc.constantFrom('', '', '', '', 'r'),
  importId: fc.constantFrom('', '', '', '', ...IMPORTS),
  labels: fc.constantFrom(undefined, undefined, undefined, undefined, ...LABELS.slice(0, 3)),
  userProfileLabels: fc.constantFrom(
    ...[undefined, undefined, undefined, undefined],
    ...[...USER_PROFILES.values(), new Map([['team', '']])],
  ),
});
/** A whole range for windows; without them, it may have no start and no end. */
const range = fc.tuple(moment, moment, fc.nat({ max: 3 }), fc.nat({ max: 3 }));

const SUM_FIELDS = [
  'charges',
  'unpriced_charges',
  'prompt_tokens',
  'completion_tokens',
  'total_tokens',
  'token_details',
  'quantities',
  'costs',
  'reported_costs',
];

/** A question, with how many pages it is read in and as of which part of the journal. */
export interface Question {
  readonly query: UsageQuery;
  readonly pages: number;
  /** 1: as of the last number, or without one. */
  readonly asOf: number;
}

export const question: fc.Arbitrary<Question> = fc
  .record({
    filter,
    range,
    groupBy: fc.shuffledSubarray(Object.values(DIMENSION)).map((all) => all.slice(0, 4)),
    allGroups: fc.nat({ max: 9 }),
    groupByLabels: fc.shuffledSubarray(LABEL_KEYS, { maxLength: 2 }),
    hasLabels: fc.constantFrom(true, false, false),
    groupByUserProfileLabels: fc.shuffledSubarray(LABEL_KEYS, { maxLength: 2 }),
    hasUserProfileLabels: fc.constantFrom(true, false, false),
    window: fc.constantFrom(...Object.values(WINDOW)),
    timeZone: fc.constantFrom('UTC', 'Europe/Berlin', 'Asia/Kolkata', 'Pacific/Chatham', 'America/St_Johns'),
    orderBy: fc.constantFrom(...Object.values(ORDER)),
    currencyCode: fc.constantFrom('USD', 'EUR'),
    fill: fc.boolean(),
    readMask: fc.oneof(fc.constant([]), fc.subarray(SUM_FIELDS)),
    pages: fc.integer({ min: 1, max: 4 }),
    asOf: fc.constantFrom(1, 1, 0, 0.3, 0.6, 0.9),
  })
  .map(
    ({
      range: [one, other, noStart, noEnd],
      allGroups,
      hasLabels,
      hasUserProfileLabels,
      pages,
      asOf,
      ...rest
    }) => {
      const [start, end] = one < other ? [one, other] : [other, one + 1n];
      const hasWindow = rest.window !== WINDOW.none;
      const ends = {
        ...((hasWindow || noStart > 0) && { startTimeMicros: start }),
        ...((hasWindow || noEnd > 0) && { endTimeMicros: end }),
      };
      const query: UsageQuery = {
        ...rest,
        filter: { ...rest.filter, ...ends },
        groupBy: allGroups === 0 ? Object.values(DIMENSION).reverse() : rest.groupBy,
        groupByLabels: hasLabels ? rest.groupByLabels : [],
        groupByUserProfileLabels: hasUserProfileLabels ? rest.groupByUserProfileLabels : [],
        fill: rest.fill && hasWindow,
        asOfSequence: undefined,
      };
      return { query, pages, asOf };
    },
  );
