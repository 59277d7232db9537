/** UsageService by a real client: answers, pages and streams, and everything that is refused. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import {
  UsageDimension as Dimension,
  UsageOrder as Order,
  type UsageServiceClient,
  UsageWindow as Window,
} from '../../../generated/charge/v1/usage_service.ts';
import { Provider } from '../../../generated/charge/v1/charge.ts';
import { encodePageToken } from '../../../src/usage/rpc/page-token.ts';
import { ANYBODY } from '../../../src/grpc/principal.ts';
import { questionOf } from '../../../src/usage/rpc/question.ts';
import { UsageQuery } from '../../../generated/charge/v1/usage_service.ts';
import { createMigratedDatabase, query, type TestDatabase } from '../../support/database.ts';
import { call, createRequest, errorOf, openTestServer, type TestServer } from '../../support/server.ts';
import { waitFor } from '../../support/wait-for.ts';
import {
  openUsageClient,
  type PartialQuery,
  queryAllUsage,
  queryUsage,
  startStream,
  streamAllUsage,
  timestamp,
} from '../support/client.ts';

const RANGE = { startTime: timestamp('2026-09-10T00:00:00Z'), endTime: timestamp('2026-09-12T00:00:00Z') };
/** 255 characters that take the most bytes in a page token. */
const LONG = '\x01'.repeat(254);

let database: TestDatabase;
let server: TestServer;
let client: UsageServiceClient;
beforeAll(async () => {
  database = await createMigratedDatabase();
  server = await openTestServer(database.url);
  client = openUsageClient(server.address);
  for (let index = 0; index < 12; index++) {
    await create(`${index}`, {
      userProfile: ['alice', 'bob', 'carol'][index % 3] ?? '',
      usageTime: { seconds: RANGE.startTime.seconds + BigInt(index) * 5_400n, nanos: 0 },
      labels: new Map([["team'); DROP TABLE charge; --", `${index % 2}`]]),
    });
  }
});
afterAll(async () => {
  client.close();
  await server.close();
  await database.drop();
});

const create = (requestId: string, charge: Parameters<typeof createRequest>[1]) =>
  call((callback) => server.client.createCharge(createRequest(requestId, charge), callback));

test('a day by hour in a zone, with the windows of the zone', async () => {
  const filter = { startTime: timestamp('2026-09-09T18:30:00Z'), endTime: timestamp('2026-09-10T06:30:00Z') };
  const answer = await queryUsage(client, {
    filter,
    window: Window.USAGE_WINDOW_HOUR,
    timeZone: 'Asia/Kolkata',
    fill: true,
  });
  expect(answer.rows.map(({ windowStart, charges }) => [windowStart?.seconds, charges])).toEqual(
    [0n, 0n, 0n, 0n, 0n, 1n, 0n, 1n, 1n, 0n, 1n, 1n].map((charges, hour) => [
      filter.startTime.seconds + BigInt(hour) * 3_600n,
      charges,
    ]),
  );
  expect(answer.rows.at(-1)?.windowEnd).toEqual(filter.endTime);
  expect(answer).toMatchObject({ nextPageToken: '', asOfSequence: 12n });
});

test('pages are the rows of one answer, whatever is recorded meanwhile, and a stream has them all', async () => {
  const question: PartialQuery = {
    filter: { ...RANGE },
    groupBy: [Dimension.USAGE_DIMENSION_USER_PROFILE, Dimension.USAGE_DIMENSION_PROVIDER],
    groupByLabels: ["team'); DROP TABLE charge; --", "' OR 1=1", '__proto__'],
    window: Window.USAGE_WINDOW_DAY,
    timeZone: 'America/New_York',
    orderBy: Order.USAGE_ORDER_TOTAL_TOKENS,
  };
  const whole = await streamAllUsage(client, question);
  const first = await queryUsage(client, question, { pageSize: 2 });
  await create('between the pages', { userProfile: 'aaron', usageTime: RANGE.startTime });
  const rows = [...first.rows];
  let { nextPageToken } = first;
  while (nextPageToken !== '') {
    const page = await queryUsage(client, question, { pageSize: 5, pageToken: nextPageToken });
    expect(page.asOfSequence).toBe(first.asOfSequence);
    rows.push(...page.rows);
    nextPageToken = page.nextPageToken;
  }
  expect(rows).toEqual(whole.rows);
  expect(new Set(whole.asOfSequences)).toEqual(new Set([first.asOfSequence]));
  expect(await queryAllUsage(client, { ...question, asOfSequence: first.asOfSequence }, 3)).toMatchObject({
    rows,
  });
});

test('a row has only the sums that the read mask names, its charges, and what it is ordered by', async () => {
  const question: PartialQuery = {
    filter: { ...RANGE },
    groupBy: [Dimension.USAGE_DIMENSION_MODEL],
    orderBy: Order.USAGE_ORDER_PROMPT_TOKENS,
  };
  const [whole] = (await queryUsage(client, question)).rows;
  const [row] = (await queryUsage(client, { ...question, readMask: ['completion_tokens', 'costs'] })).rows;
  expect(whole?.totalTokens).toBeGreaterThan(0n);
  expect(whole?.unpricedCharges).toBe(whole?.charges);
  expect(row).toEqual({ ...whole, totalTokens: 0n, unpricedCharges: 0n });
  const unknown = await errorOf(queryUsage(client, { ...question, readMask: ['group', 'cost'] }));
  expect(unknown).toMatchObject({ code: 'INVALID_ARGUMENT' });
  expect(unknown.message).toContain('read_mask may name charges');
});

test('a page token is bound to its question', async () => {
  const question: PartialQuery = { filter: { ...RANGE }, groupBy: [Dimension.USAGE_DIMENSION_USER_PROFILE] };
  const { nextPageToken: pageToken } = await queryUsage(client, question, { pageSize: 1 });
  expect(pageToken).not.toBe('');
  const others: PartialQuery[] = [
    { ...question, orderBy: Order.USAGE_ORDER_CHARGES },
    { ...question, groupBy: [Dimension.USAGE_DIMENSION_MODEL] },
    { ...question, groupByLabels: ['team'] },
    { ...question, window: Window.USAGE_WINDOW_DAY },
    { ...question, timeZone: 'Europe/Berlin' },
    { ...question, asOfSequence: 3n },
    { ...question, currencyCode: 'EUR' },
    { ...question, filter: { ...RANGE, userProfile: 'alice' } },
    { ...question, filter: { ...RANGE, labels: new Map([['a', 'b']]) } },
    { ...question, filter: { startTime: RANGE.startTime } },
  ];
  for (const other of others) {
    const refused = await errorOf(queryUsage(client, other, { pageToken }));
    expect(refused).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'PAGE_TOKEN_INVALID' });
  }
  for (const other of ['x', pageToken.slice(1), `${pageToken}A`, `A${pageToken}`]) {
    const refused = await errorOf(queryUsage(client, question, { pageToken: other }));
    expect(refused).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'PAGE_TOKEN_INVALID' });
  }
});

test('a forged page token with a right digest is refused as well', async () => {
  const groupBy = [Dimension.USAGE_DIMENSION_PROVIDER, Dimension.USAGE_DIMENSION_MODEL];
  const { query: question } = questionOf(ANYBODY, UsageQuery.fromPartial({ groupBy }));
  const right = { asOfSequence: 3n, after: { measure: 0n, window: 1, group: [1, '', 'a'] } };
  const token = (start: unknown) => encodePageToken('default', question, start as typeof right);
  const ask = (start: unknown) => queryUsage(client, { groupBy }, { pageToken: token(start) });
  expect((await ask(right)).rows).toHaveLength(1);
  const { after } = right;
  for (const start of [
    { ...right, asOfSequence: -1n },
    { ...right, asOfSequence: 2n ** 63n },
    { ...right, asOfSequence: 'x' },
    { ...right, after: { ...after, window: 2 ** 31 } },
    { ...right, after: { ...after, window: 1.5 } },
    { ...right, after: { ...after, measure: 'x' } },
    { ...right, after: { ...after, group: [1, ''] } },
    { ...right, after: { ...after, group: [1, '', 'a', 'b'] } },
    { ...right, after: { ...after, group: ['1', '', 'a'] } },
    { ...right, after: { ...after, group: [99_999, '', 'a'] } },
    { ...right, after: { ...after, group: [1, '', 'a\0'] } },
    { ...right, after: { ...after, group: [1, '', ['a']] } },
    { ...right, after: { ...after, group: null } },
  ]) {
    const refused = await errorOf(ask(start));
    expect(refused).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'PAGE_TOKEN_INVALID' });
  }
});

test('a token of the longest group is not too long for the contract', async () => {
  const labels = new Map(['1', '2', '3', '4'].map((key) => [key, LONG]));
  for (const last of ['a', 'b']) {
    const other = {
      provider: Provider.PROVIDER_OTHER,
      otherProvider: LONG + last,
      model: LONG,
      region: LONG.slice(0, 63),
    };
    const texts = { userProfile: LONG, sessionKey: LONG, reference: LONG, labels };
    await create(`long ${last}`, { ...texts, ...other, usageTime: timestamp('2026-09-01T00:00:00Z') });
  }
  const question: PartialQuery = {
    filter: { userProfile: LONG },
    groupBy: [1, 2, 3, 4, 5, 6, 7, 8, 9],
    groupByLabels: [...labels.keys()],
  };
  expect((await queryAllUsage(client, question, 1)).rows).toHaveLength(2);
});

const WINDOW = { filter: { ...RANGE }, window: Window.USAGE_WINDOW_DAY };
const REFUSED: [what: string, question: PartialQuery | undefined, field: string][] = [
  ['no question', undefined, 'query'],
  ['an unknown group', { groupBy: [99 as Dimension] }, 'query.group_by[0]'],
  ['no group', { groupBy: [0] }, 'query.group_by[0]'],
  ['a group twice', { groupBy: [1, 2, 1] }, 'query.group_by'],
  ['a label twice', { groupByLabels: ['a', 'a'] }, 'query.group_by_labels'],
  ['five labels', { groupByLabels: ['1', '2', '3', '4', '5'] }, 'query.group_by_labels'],
  ['a label without a name', { groupByLabels: ['a', ''] }, 'query.group_by_labels[1]'],
  ['a label with NUL', { groupByLabels: ['a\0'] }, 'query.group_by_labels[0]'],
  ['a user with NUL', { filter: { userProfile: '\0' } }, 'query.filter.user_profile'],
  [
    'a range that is reversed',
    { filter: { startTime: RANGE.endTime, endTime: RANGE.startTime } },
    'query.filter',
  ],
  ['an empty range', { filter: { startTime: RANGE.startTime, endTime: RANGE.startTime } }, 'query.filter'],
  ['an unknown window', { ...WINDOW, window: 99 as Window }, 'query.window'],
  ['a window without a range', { window: Window.USAGE_WINDOW_DAY }, 'query'],
  ['a window without an end', { ...WINDOW, filter: { startTime: RANGE.startTime } }, 'query'],
  ['a zone that does not exist', { ...WINDOW, timeZone: 'Mars/Olympus' }, 'query.time_zone'],
  ['an offset instead of a zone', { ...WINDOW, timeZone: '+01:00' }, 'query.time_zone'],
  ['a zone with SQL', { ...WINDOW, timeZone: "UTC'; DROP TABLE charge" }, 'query.time_zone'],
  ['a zone without a window that does not exist', { timeZone: 'Nowhere' }, 'query.time_zone'],
  [
    'too many windows',
    {
      filter: { startTime: timestamp('2020-01-01T00:00:00Z'), endTime: timestamp('2026-01-01T00:00:00Z') },
      window: Window.USAGE_WINDOW_QUARTER_HOUR,
    },
    'query.window',
  ],
  ['an unknown order', { orderBy: 99 as Order }, 'query.order_by'],
  ['an order by cost without a currency', { orderBy: Order.USAGE_ORDER_COST }, 'query'],
  ['an order by reported cost without a currency', { orderBy: Order.USAGE_ORDER_REPORTED_COST }, 'query'],
  ['a currency that is none', { currencyCode: 'usd' }, 'query.currency_code'],
  ['fill without a window', { fill: true }, 'query'],
  ['a negative sequence', { asOfSequence: -1n }, 'query.as_of_sequence'],
  [
    'a time after the year 9999',
    { filter: { endTime: { seconds: 253_402_300_800n, nanos: 0 } } },
    'query.filter.end_time',
  ],
];

test.each(REFUSED)('%s is refused by the name of its field', async (_, question, field) => {
  const refused = await errorOf(queryUsage(client, question));
  expect(refused).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'VALIDATION_FAILED' });
  expect(refused.violations.map((violation) => violation.field)).toEqual([field]);
  if (question === undefined) return;
  const stream = errorOf(
    (async () => {
      for await (const _ of startStream(client, question)) expect(_).toBeUndefined();
    })(),
  );
  expect(await stream).toEqual(refused);
});

test('every fault of a question is named at once', async () => {
  const refused = await errorOf(
    queryUsage(
      client,
      { groupBy: [99 as Dimension], orderBy: 99 as Order, fill: true, currencyCode: '€' },
      { pageSize: -1 },
    ),
  );
  expect(new Set(refused.violations.map(({ field }) => field))).toEqual(
    new Set(['query', 'query.group_by[0]', 'query.order_by', 'query.currency_code', 'page_size']),
  );
});

test('a sequence that the journal has not reached is refused', async () => {
  const refused = await errorOf(queryUsage(client, { asOfSequence: 1_000_000n }));
  expect(refused).toMatchObject({ code: 'OUT_OF_RANGE', reason: 'SEQUENCE_OUT_OF_RANGE' });
  expect(refused.metadata).toMatchObject({ as_of_sequence: '1000000' });
});

/** 50,000 rows of several megabytes: more than is sent ahead of a reader. */
const LARGE: PartialQuery = {
  filter: { startTime: timestamp('2026-01-01T00:00:00Z'), endTime: timestamp('2027-06-05T20:00:00Z') },
  window: Window.USAGE_WINDOW_QUARTER_HOUR,
  fill: true,
};

/** A stream that is open, and that nobody reads any further. */
async function startUnread(from: UsageServiceClient, deadlineMs?: number) {
  const stream = startStream(from, LARGE, deadlineMs);
  stream.on('error', () => undefined);
  await new Promise((resolve, reject) => {
    stream.once('error', reject);
    stream.once('data', resolve);
  });
  stream.pause();
  return stream;
}

const openTransactions = async (): Promise<number> => {
  const [row] = await query(
    database.url,
    `SELECT count(*)::int AS n FROM pg_stat_activity
     WHERE datname = current_database() AND state = 'idle in transaction'`,
  );
  return Number(row?.['n']);
};

test('a third stream is refused, slow readers block nobody, and a stream that is left frees its connection', async () => {
  const slow = [openUsageClient(server.address), openUsageClient(server.address)];
  try {
    const [first, second] = await Promise.all(slow.map((one) => startUnread(one)));
    await waitFor('both to wait for their readers', async () => (await openTransactions()) === 2);
    const refused = await errorOf(startUnread(client));
    expect(refused).toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'OVERLOADED', retryDelay: true });
    expect(refused.metadata).toMatchObject({ limit: 'usage_streams' });
    // Others go on.
    await create('beside slow readers', { usageTime: RANGE.startTime });
    expect((await queryUsage(client, { filter: { ...RANGE } })).rows).toHaveLength(1);
    first?.cancel();
    await waitFor('a free connection', async () => (await openTransactions()) === 1);
    const { rows } = await waitFor('another stream', () => streamAllUsage(client, LARGE));
    expect(rows).toHaveLength(50_000);
    second?.cancel();
    await waitFor('no open transaction', async () => (await openTransactions()) === 0);
  } finally {
    for (const one of slow) one.close();
  }
});

test('the deadline of a caller who does not read ends the stream and frees its connection', async () => {
  const slow = openUsageClient(server.address);
  await startUnread(slow, 6_000);
  await waitFor('the wait for its reader', async () => (await openTransactions()) === 1);
  await waitFor('no open transaction', async () => (await openTransactions()) === 0);
  slow.close();
});
