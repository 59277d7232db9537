/** What `charge usage` and `charge top` ask the service for. */

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ChargeType, Provider } from '../../../generated/charge/v1/charge.ts';
import { UsageDimension, UsageOrder, UsageWindow } from '../../../generated/charge/v1/usage_service.ts';
import { ALL_CHARGES } from '../../../src/cli/lists.ts';
import { FakeUsage, SEQUENCE } from './support/fake-usage.ts';

let service: FakeUsage;

beforeEach(async () => {
  service = await FakeUsage.open();
});
afterEach(() => service.close());

const NOVEMBER = ['--from', '2026-11-01', '--to', '2026-12-01', '--zone', 'Europe/Berlin'];
const FROM = { seconds: 1_793_487_600n, nanos: 0 };
const TO = { seconds: 1_796_079_600n, nanos: 0 };

test('every flag reaches the service, and every question is as of one sequence', async () => {
  service.put({});
  const { code, stderr } = await service.run(
    'usage',
    ...NOVEMBER,
    ...[
      '--by',
      'user,provider',
      '--by',
      'labels:team,profile-label:site',
      '--window',
      'week',
      '--order',
      'reported-cost',
    ],
    ...['--currency', 'EUR', '--fill', '--as-of', '77', '--limit', '5', '--csv'],
    ...['--user', 'ann', '--provider', 'aws-bedrock', '--model', 'm', '--type', 'tool', '--session', 's'],
    ...[
      '--reference',
      'r',
      '--label',
      'team=a=b',
      '--label',
      'env=',
      '--profile-label',
      'team=search',
      '--import',
      'AAAAAAAA-0000-7000-8000-00000000000A',
    ],
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const filter = {
    userProfile: 'ann',
    provider: Provider.PROVIDER_AWS_BEDROCK,
    model: 'm',
    chargeType: ChargeType.CHARGE_TYPE_TOOL,
    sessionKey: 's',
    reference: 'r',
    labels: new Map([
      ['team', 'a=b'],
      ['env', ''],
    ]),
    userProfileLabels: new Map([['team', 'search']]),
    importId: 'aaaaaaaa-0000-7000-8000-00000000000a',
    startTime: FROM,
    endTime: TO,
  };
  const common = { filter, timeZone: 'Europe/Berlin', asOfSequence: 77n };
  expect(service.queries).toEqual([
    expect.objectContaining({ ...common, groupBy: [], window: 0, currencyCode: '' }),
    {
      ...common,
      groupBy: [UsageDimension.USAGE_DIMENSION_USER_PROFILE, UsageDimension.USAGE_DIMENSION_PROVIDER],
      groupByLabels: ['team'],
      groupByUserProfileLabels: ['site'],
      window: UsageWindow.USAGE_WINDOW_WEEK,
      orderBy: UsageOrder.USAGE_ORDER_REPORTED_COST,
      currencyCode: 'EUR',
      fill: true,
    },
  ]);
  expect(service.pageSizes).toEqual([1, 5]);
});

test('without flags it is the last 30 days by model, in the currency with the highest cost', async () => {
  const time = new Date().toISOString();
  service.put({ time, cost: ['EUR', 5n] }, { time, cost: ['USD', 9n] }, { time, cost: ['USD', 1n] });
  expect((await service.run('usage')).code).toBe(0);
  const [total, rows] = service.queries;
  const { startTime, endTime } = total?.filter ?? {};
  const days = Number((endTime?.seconds ?? 0n) - (startTime?.seconds ?? 0n)) / 86_400;
  // A change of the clocks may lie between.
  expect(Math.abs(days - 30)).toBeLessThan(0.1);
  expect(total?.asOfSequence).toBeUndefined();
  expect(rows).toMatchObject({
    groupBy: [UsageDimension.USAGE_DIMENSION_MODEL],
    window: 0,
    orderBy: UsageOrder.USAGE_ORDER_COST,
    currencyCode: 'USD',
    timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    asOfSequence: SEQUENCE,
  });
});

test.each([
  ['charges', UsageOrder.USAGE_ORDER_CHARGES, ''],
  ['tokens', UsageOrder.USAGE_ORDER_TOTAL_TOKENS, ''],
  ['prompt-tokens', UsageOrder.USAGE_ORDER_PROMPT_TOKENS, ''],
  ['completion-tokens', UsageOrder.USAGE_ORDER_COMPLETION_TOKENS, ''],
  ['unpriced', UsageOrder.USAGE_ORDER_UNPRICED_CHARGES, ''],
  ['cost', UsageOrder.USAGE_ORDER_COST, 'USD'],
  ['reported-cost', UsageOrder.USAGE_ORDER_REPORTED_COST, 'CHF'],
])('charge top users --by %s', async (name, orderBy, currencyCode) => {
  service.put({ reported: ['CHF', 7n] });
  expect((await service.run('top', 'users', '--by', name, ...NOVEMBER)).code).toBe(0);
  expect(service.queries[1]).toMatchObject({ orderBy, currencyCode });
  expect(service.queries[1]?.groupBy).toEqual([UsageDimension.USAGE_DIMENSION_USER_PROFILE]);
  // One more than the ten that are shown: are there others?
  expect(service.pageSizes).toEqual([1, 11]);
});

test('if no charge has a cost, the tokens are compared', async () => {
  service.put({ cost: undefined });
  const { stdout } = await service.run('usage', ...NOVEMBER);
  expect(service.queries[1]).toMatchObject({
    orderBy: UsageOrder.USAGE_ORDER_TOTAL_TOKENS,
    currencyCode: '',
  });
  expect(stdout).toContain('The most tokens first');
});

test.each([
  [['usage', '--currency', 'XYZ'], 'No charge has a cost in XYZ, but in USD.\n'],
  [['top', 'users', '--currency', 'XYZ', '--csv'], 'No charge has a cost in XYZ, but in USD.\n'],
  [
    ['top', 'users', '--by', 'reported-cost'],
    'No charge has a reported cost, so tokens are compared instead.\n',
  ],
  [['usage', '--order', 'reported-cost', '--currency', 'EUR'], 'No charge has a reported cost in EUR.\n'],
  [['top', 'users', '--currency', 'USD'], ''],
  [['usage', '--order', 'tokens', '--currency', 'XYZ'], ''],
])('%j says what cannot be compared', async (args, said) => {
  service.put({});
  const { code, stderr } = await service.run(...args, ...NOVEMBER);
  expect({ code, stderr }).toEqual({ code: 0, stderr: said });
});

test('--fill has a row for each window, also if there are no charges', async () => {
  const { stdout } = await service.run('usage', '--window', 'week', '--fill', ...NOVEMBER);
  expect(stdout.match(/^2026-11-\d\d .*$/gm)).toHaveLength(6);
  expect(stdout).toMatch(/^Total +0 /m);
});

test('rows of windows come in the order of time, unless another one is asked for', async () => {
  service.put({});
  await service.run('usage', '--window', 'day', ...NOVEMBER, '--json');
  expect(service.queries[1]).toMatchObject({ orderBy: UsageOrder.USAGE_ORDER_UNSPECIFIED, groupBy: [] });
  await service.run('usage', '--window', 'day', ...NOVEMBER, '--json', '--order', 'charges');
  expect(service.queries[3]).toMatchObject({ orderBy: UsageOrder.USAGE_ORDER_CHARGES });
});

describe('wrong flags', () => {
  test.each([
    [
      ['usage', '--by', 'user,colour'],
      '--by: "colour" is none of user, provider, model, type, session, reference, tier, region, outcome, label:KEY',
    ],
    [['usage', '--by', 'user,users'], '--by: user is there twice'],
    [['usage', '--by', 'label:a,label:b,label:c,label:d,label:e'], '--by: at most 4 labels'],
    [['usage', '--by', 'label:'], '--by: "label:" is none of'],
    [['usage', '--window', 'year'], '--window: "year" is none of 15m, hour, day, week, month'],
    [
      ['usage', '--order', 'price'],
      '--order: "price" is none of cost, charges, tokens, prompt-tokens, completion-tokens, reported-cost, unpriced, window',
    ],
    [['usage', '--order', 'window'], '--order window needs --window'],
    [['usage', '--fill'], '--fill needs --window'],
    [['usage', '--zone', 'Berlin'], '--zone: "Berlin" is not the IANA name of a time zone'],
    [['usage', '--from', '2026-02-01', '--to', '2026-01-01'], '--from must be before --to'],
    [['usage', '--last', '3m'], '--last: "3m" is not a time such as 12h, 30d, 8w or 3mo'],
    [['usage', '--limit', '10001'], '--limit: expected a whole number from 1 to 10000, not 10001'],
    [['usage', '--currency', 'usd'], '--currency: "usd" is not an ISO 4217 code such as USD'],
    [['usage', '--as-of', '-1'], '--as-of: "-1" is not a sequence of the journal'],
    [['usage', '--provider', 'openay'], '--provider: "openay" is none of openai, meta_ai,'],
    [['usage', '--type', 'chatter'], '--type: "chatter" is none of completion, plugin, tool'],
    [['usage', '--label', 'team'], '--label: "team" is not KEY=VALUE'],
    [['usage', '--label', 'a=1', '--label', 'a=2'], '--label: "a" is given twice'],
    [['usage', '--user', ''], '--user: it is empty'],
    [['usage', '--import', '7'], '"7" is not the id of an import, which is a UUID'],
    [['top'], 'say of what: users, models, providers, sessions, regions or labels:KEY'],
    [['top', 'colours'], 'charge top: "colours" is none of user, provider,'],
    [['top', 'users', '--by', 'window'], '--by: "window" is none of cost, charges,'],
  ])('%j', async (args, fault) => {
    const { code, stderr } = await service.run(...args);
    expect(code).toBe(2);
    expect(stderr).toContain(`  - ${fault}`);
    expect(stderr.match(/^ {2}- /gm)).toHaveLength(1);
    expect(service.queries).toEqual([]);
  });

  test('all of them are named at once', async () => {
    const { stderr } = await service.run(
      'usage',
      '--by',
      'x',
      '--zone',
      'x',
      '--limit',
      '0',
      '--json',
      '--csv',
    );
    expect(stderr.match(/^ {2}- /gm)).toHaveLength(4);
    expect(stderr).toContain('--json or --csv, not both');
  });
});

test('without filters every charge is meant', async () => {
  service.put({});
  await service.run('usage', '--to', '2027-01-01', '--zone', 'UTC');
  expect(service.queries[0]?.filter).toEqual({
    ...ALL_CHARGES,
    startTime: undefined,
    endTime: { seconds: 1_798_761_600n, nanos: 0 },
  });
});
