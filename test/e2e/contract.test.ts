import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Metadata } from '@grpc/grpc-js';

import {
  type Charge,
  type ChargeType,
  type Provider,
  type TokenDetails,
} from '../../generated/charge/v1/charge.ts';
import {
  type BatchCreateChargesResponse,
  type ChargeServiceClient,
  type CreateChargeRequest,
  type CreateChargeResponse,
  type GetChargeRequest,
  type GetChargeResponse,
  ListChargesOrder,
  ListChargesRequest,
  ListChargesResponse,
  Outcome,
} from '../../generated/charge/v1/charge_service.ts';
import {
  call,
  createRequest,
  decodeStatus,
  errorOf,
  openTestServer,
  type TestServer,
} from '../support/server.ts';
import { openTestStore, type TestStore } from '../support/store.ts';

let store: TestStore;
let server: TestServer;
let client: ChargeServiceClient;

beforeAll(async () => {
  store = await openTestStore();
  server = await openTestServer(store.url);
  client = server.client;
});
afterAll(async () => {
  await server.close();
  await store.close();
});

const create = (request: CreateChargeRequest, metadata = new Metadata()) =>
  call<CreateChargeResponse>((callback) => client.createCharge(request, metadata, callback));
const batch = (requests: CreateChargeRequest[]) =>
  call<BatchCreateChargesResponse>((callback) => client.batchCreateCharges({ requests }, callback));
const get = (key: GetChargeRequest['key']) =>
  call<GetChargeResponse>((callback) => client.getCharge({ key }, callback));
const list = (request: Partial<ListChargesRequest>) =>
  call<ListChargesResponse>((callback) =>
    client.listCharges(ListChargesRequest.fromPartial(request), callback),
  );

async function countCharges(): Promise<number> {
  const { rows } = await store.owner.pool.query<{ n: string }>('SELECT count(*) AS n FROM charge');
  return Number(rows[0]?.n);
}

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

describe('CreateCharge', () => {
  test('stores a charge, adds up an absent total, and sets id and times', async () => {
    const before = Date.now();
    const { charge, replayed } = await create(createRequest('create-1', { id: 'ignored' }));
    expect(replayed).toBe(false);
    expect(charge).toMatchObject({ userProfile: 'alice', promptTokens: 374n, totalTokens: 418n });
    expect(charge?.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(Number(charge?.createTime?.seconds)).toBeGreaterThanOrEqual(Math.floor(before / 1000));
    expect(charge?.updateTime).toEqual(charge?.createTime);
    expect(charge?.usageTime).toEqual(charge?.createTime);
  });

  test('answers a repeat with the original, also when the total is spelled out', async () => {
    const first = await create(createRequest('create-2'));
    const second = await create(createRequest('create-2', { totalTokens: 418n }));
    expect(second).toEqual({ charge: first.charge, replayed: true });
  });

  test('refuses a reused request id and names the field, the id and the charge', async () => {
    const { charge } = await create(createRequest('create-3'));
    const error = await errorOf(create(createRequest('create-3', { completionTokens: 45n })));
    expect(error).toMatchObject({
      code: 'ALREADY_EXISTS',
      reason: 'REQUEST_ID_REUSED',
      domain: 'charge.v1',
      metadata: { request_id: 'create-3', field: 'completion_tokens', charge_id: charge?.id },
    });
  });

  test('makes one charge for 100 concurrent calls with one request id', async () => {
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => create(createRequest('create-race'))),
    );
    expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(new Set(answers.map(({ charge }) => charge?.id)).size).toBe(1);
  });

  test.each<[string, CreateChargeRequest, [string, string][]]>([
    ['no charge', { charge: undefined, requestId: 'v', importId: '' }, [['charge', 'required']]],
    ['no request id', createRequest(''), [['request_id', 'string.min_len']]],
    ['a request id of 129 characters', createRequest('x'.repeat(129)), [['request_id', 'string.max_len']]],
    ['a line break in the request id', createRequest('a\nb'), [['request_id', 'string.pattern']]],
    ['no user profile', createRequest('v', { userProfile: '' }), [['charge.user_profile', 'string.min_len']]],
    [
      'a user profile of 256 characters',
      createRequest('v', { userProfile: '👩'.repeat(256) }),
      [['charge.user_profile', 'string.max_len']],
    ],
    ['U+0000', createRequest('v', { reference: 'a\0b' }), [['charge.reference', 'string.pattern']]],
    ['no provider', createRequest('v', { provider: 0 }), [['charge.provider', 'enum.not_in']]],
    [
      'an unknown provider',
      createRequest('v', { provider: 99 as Provider }),
      [['charge.provider', 'enum.defined_only']],
    ],
    [
      'an unrecognized charge type',
      createRequest('v', { chargeType: -1 as ChargeType }),
      [['charge.charge_type', 'enum.defined_only']],
    ],
    [
      'other without a name',
      createRequest('v', { provider: 100 }),
      [['charge', 'charge.other_provider_required']],
    ],
    [
      'a name without other',
      createRequest('v', { otherProvider: 'x' }),
      [['charge', 'charge.other_provider_unexpected']],
    ],
    ['negative tokens', createRequest('v', { promptTokens: -1n }), [['charge.prompt_tokens', 'int64.gte']]],
    [
      'a total below the sum',
      createRequest('v', { totalTokens: 417n }),
      [['charge', 'charge.total_tokens_too_small']],
    ],
    [
      'a sum beyond int64',
      createRequest('v', { promptTokens: 2n ** 63n - 1n }),
      [['charge', 'charge.tokens_overflow']],
    ],
    ['no model for a completion', createRequest('v', { model: '' }), [['charge', 'charge.model_required']]],
    [
      'more cached than prompt tokens',
      createRequest('v', { tokenDetails: { ...NO_DETAILS, cacheReadTokens: 374n, cacheWrite1hTokens: 1n } }),
      [['charge', 'charge.cache_tokens_exceed_prompt']],
    ],
    [
      'more reasoning than completion tokens',
      createRequest('v', { tokenDetails: { ...NO_DETAILS, reasoningTokens: 45n } }),
      [['charge', 'charge.reasoning_tokens_exceed_completion']],
    ],
    [
      '17 labels',
      createRequest('v', { labels: new Map(Array.from({ length: 17 }, (_, i) => [`k${i}`, ''])) }),
      [['charge.labels', 'map.max_pairs']],
    ],
    [
      'usage two days ahead',
      createRequest('v', {
        usageTime: { seconds: BigInt(Math.floor(Date.now() / 1000)) + 172_800n, nanos: 0 },
      }),
      [['charge.usage_time', 'charge.usage_time_range']],
    ],
    [
      'everything wrong at once',
      createRequest('', { userProfile: '', provider: 0, completionTokens: -5n }),
      [
        ['charge.completion_tokens', 'int64.gte'],
        ['charge.provider', 'enum.not_in'],
        ['charge.user_profile', 'string.min_len'],
        ['request_id', 'string.min_len'],
      ],
    ],
  ])('refuses %s, names every violation, and stores nothing', async (_, request, expected) => {
    const before = await countCharges();
    const error = await errorOf(create(request));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'VALIDATION_FAILED' });
    const found = error.violations.map(({ field, rule }) => [field, rule]);
    expect(found.sort()).toEqual(expected.sort());
    expect(await countCharges()).toBe(before);
  });

  test('refuses a message above 1 MiB with its size and the limit', async () => {
    const labels = new Map([['big', 'x'.repeat(1024 * 1024)]]);
    expect(await errorOf(create(createRequest('big', { labels })))).toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      reason: 'MESSAGE_TOO_LARGE',
      metadata: { limit_bytes: String(1024 * 1024) },
    });
  });
});

describe('BatchCreateCharges', () => {
  test('answers each item in order, and one bad item stops no other', async () => {
    const original = await create(createRequest('batch-replayed'));
    const { results } = await batch([
      createRequest('batch-1'),
      createRequest('batch-bad', { userProfile: '' }),
      createRequest('batch-replayed'),
      createRequest('batch-1'),
      createRequest('batch-1', { model: 'other' }),
      { charge: undefined, requestId: '', importId: '' },
      createRequest('batch-2'),
    ]);
    expect(results.map(({ outcome }) => outcome)).toEqual([
      Outcome.OUTCOME_CREATED,
      Outcome.OUTCOME_REJECTED,
      Outcome.OUTCOME_REPLAYED,
      Outcome.OUTCOME_REPLAYED,
      Outcome.OUTCOME_REJECTED,
      Outcome.OUTCOME_REJECTED,
      Outcome.OUTCOME_CREATED,
    ]);
    expect(results[2]?.charge).toEqual(original.charge);
    expect(results[3]?.charge).toEqual(results[0]?.charge);
    expect(results.map(({ status }) => decodeStatus(status).reason)).toEqual([
      undefined,
      'VALIDATION_FAILED',
      undefined,
      undefined,
      'REQUEST_ID_REUSED',
      'VALIDATION_FAILED',
      undefined,
    ]);
    expect(decodeStatus(results[1]?.status).violations).toEqual([
      { field: 'charge.user_profile', rule: 'string.min_len' },
    ]);
  });

  test('takes 1000 items and refuses none and 1001 as a whole', async () => {
    const requests = Array.from({ length: 1001 }, (_, i) => createRequest(`thousand-${i}`));
    const before = await countCharges();
    expect(await errorOf(batch(requests))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      violations: [{ field: 'requests', rule: 'repeated.max_items' }],
    });
    expect((await errorOf(batch([]))).violations).toEqual([
      { field: 'requests', rule: 'repeated.min_items' },
    ]);
    expect(await countCharges()).toBe(before);
    const { results } = await batch(requests.slice(0, 1000));
    expect(results.every(({ outcome }) => outcome === Outcome.OUTCOME_CREATED)).toBe(true);
    expect(await countCharges()).toBe(before + 1000);
  });
});

describe('GetCharge', () => {
  test('finds by id, in any case of its letters, and by request id', async () => {
    const { charge } = await create(createRequest('get-1', { labels: new Map([['__proto__', 'x']]) }));
    const id = charge?.id ?? '';
    expect((await get({ $case: 'id', value: id })).charge).toEqual(charge);
    expect((await get({ $case: 'id', value: id.toUpperCase() })).charge).toEqual(charge);
    expect((await get({ $case: 'requestId', value: 'get-1' })).charge).toEqual(charge);
  });

  test('says which key found nothing', async () => {
    const id = '01900000-0000-7000-8000-000000000000';
    expect(await errorOf(get({ $case: 'id', value: id }))).toMatchObject({
      code: 'NOT_FOUND',
      reason: 'CHARGE_NOT_FOUND',
      metadata: { id },
    });
    expect((await errorOf(get({ $case: 'requestId', value: 'nobody' }))).metadata).toEqual({
      request_id: 'nobody',
    });
  });

  test('refuses no key and a key that is no UUID', async () => {
    expect((await errorOf(get(undefined))).reason).toBe('VALIDATION_FAILED');
    expect((await errorOf(get({ $case: 'id', value: 'x' }))).violations).toEqual([
      { field: 'id', rule: 'string.uuid' },
    ]);
  });
});

describe('ListCharges', () => {
  beforeAll(async () => {
    await batch(
      Array.from({ length: 50 }, (_, i) =>
        createRequest(`list-${i}`, {
          userProfile: 'lister',
          usageTime: { seconds: BigInt(i), nanos: 1_000 },
        }),
      ),
    );
  });
  const filter = { userProfile: 'lister' } as ListChargesRequest['filter'];

  test.each([
    ListChargesOrder.LIST_CHARGES_ORDER_UNSPECIFIED,
    ListChargesOrder.LIST_CHARGES_ORDER_OLDEST_FIRST,
  ])('pages through everything once, order %s', async (order) => {
    const seconds: number[] = [];
    let pageToken = '';
    do {
      const page = await list({ filter, order, pageSize: 7, pageToken });
      seconds.push(...page.charges.map(({ usageTime }) => Number(usageTime?.seconds)));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    const expected = Array.from({ length: 50 }, (_, i) => i);
    expect(seconds).toEqual(
      order === ListChargesOrder.LIST_CHARGES_ORDER_OLDEST_FIRST ? expected : expected.reverse(),
    );
  });

  test('refuses a token of another filter or order, and a broken one', async () => {
    const { nextPageToken } = await list({ filter, pageSize: 5 });
    const oldest = ListChargesOrder.LIST_CHARGES_ORDER_OLDEST_FIRST;
    for (const request of [
      { pageToken: nextPageToken },
      { filter, order: oldest, pageToken: nextPageToken },
      { filter, pageToken: `${nextPageToken.slice(0, -1)}${nextPageToken.endsWith('A') ? 'B' : 'A'}` },
      { filter, pageToken: 'nonsense' },
    ]) {
      expect(await errorOf(list(request))).toMatchObject({
        code: 'INVALID_ARGUMENT',
        reason: 'PAGE_TOKEN_INVALID',
      });
    }
  });

  test('takes more than 1000 as 1000, and refuses a negative page size', async () => {
    expect((await list({ pageSize: 100_000 })).charges).toHaveLength(1000);
    expect((await errorOf(list({ pageSize: -1 }))).violations).toEqual([
      { field: 'page_size', rule: 'int32.gte' },
    ]);
  });

  test('ends a page before 1 MiB, and the next page goes on after it', async () => {
    const labels = new Map(Array.from({ length: 16 }, (_, i) => [`${i}`.padEnd(63, 'k'), '👩'.repeat(255)]));
    for (let lot = 0; lot < 4; lot++) {
      await batch(
        Array.from({ length: 60 }, (_, i) =>
          createRequest(`fat-${lot}-${i}`, { userProfile: 'fat', labels }),
        ),
      );
    }
    const pages: Charge[][] = [];
    let pageToken = '';
    do {
      const page = await list({
        filter: { userProfile: 'fat' } as ListChargesRequest['filter'],
        pageSize: 1000,
        pageToken,
      });
      pages.push(page.charges);
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    expect(new Set(pages.flat().map(({ id }) => id)).size).toBe(240);
    expect(pages.flat()).toHaveLength(240);
    const bytesOf = (charges: Charge[]): number =>
      ListChargesResponse.encode({ charges, nextPageToken: '' }).finish().length;
    for (const page of pages) expect(bytesOf(page)).toBeLessThanOrEqual(1024 * 1024);
    // All the charges are about the same size: one more would not have fitted.
    for (const page of pages.slice(0, -1)) {
      expect(bytesOf([...page, ...page.slice(0, 1)])).toBeGreaterThan(1024 * 1024 - 1024);
    }
  });
});
