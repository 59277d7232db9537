/** A key of one user profile, and another tenant: what neither may reach, by every method that is open to them. */

import { once } from 'node:events';

import { ChannelCredentials, type ClientReadableStream, type Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import * as charges from '../../../generated/charge/v1/charge_service.ts';
import { PriceServiceClient } from '../../../generated/charge/v1/price_service.ts';
import {
  type QueryUsageResponse,
  UsageQuery,
  UsageServiceClient,
} from '../../../generated/charge/v1/usage_service.ts';
import { readContractImage } from '../../../src/grpc/contract-image.ts';
import { readMethodAccess } from '../../../src/grpc/method-access.ts';
import { OPEN } from '../../../src/tenants/credentials/settings.ts';
import { chargeOfEvent as chargeOf } from '../../e2e/support/journal-consumer.ts';
import type { TestDatabase } from '../../support/database.ts';
import { failureOf, summaryOf } from '../../support/errors.ts';
import { call, createRequest, openTestServer, type TestServer } from '../../support/server.ts';
import { addKey, bearer, createTenantDatabase, createWith } from '../support/credentials.ts';

let database: TestDatabase;
let server: TestServer;
let usage: UsageServiceClient;
let prices: PriceServiceClient;
/** Of `acme`: everything, and alice alone. Of `globex`: everything. */
let all: Metadata;
let alice: Metadata;
let globex: Metadata;
/** Charges of `acme`, by their user profile. */
const ids: Record<string, string> = {};

beforeAll(async () => {
  database = await createTenantDatabase();
  server = await openTestServer(database.url, { credentials: { ...OPEN, required: true } });
  usage = new UsageServiceClient(server.address, ChannelCredentials.createInsecure());
  prices = new PriceServiceClient(server.address, ChannelCredentials.createInsecure());
  const scopes = ['RECORD', 'READ', 'CORRECT'] as const;
  all = bearer((await addKey(database.url, { scopes })).key);
  alice = bearer((await addKey(database.url, { scopes, userProfile: 'alice' })).key);
  globex = bearer((await addKey(database.url, { tenant: 'globex', scopes })).key);
  for (const userProfile of ['alice', 'bob']) {
    for (const number of [1, 2]) {
      const { charge } = await createWith(server.client, `${userProfile}-${number}`, all, { userProfile });
      if (number === 1) ids[userProfile] = charge?.id ?? '';
    }
  }
});
afterAll(async () => {
  usage.close();
  prices.close();
  await server.close();
  await database.drop();
});

const denied = {
  code: 'PERMISSION_DENIED',
  reason: 'PERMISSION_DENIED',
  metadata: { user_profile: 'alice' },
};
const filterOf = (userProfile: string) => charges.ChargeFilter.fromPartial({ userProfile });
const get = (key: charges.GetChargeRequest['key'], metadata: Metadata) =>
  call<charges.GetChargeResponse>((done) => server.client.getCharge({ key }, metadata, done));
const history = (value: string, metadata: Metadata) =>
  call<charges.GetChargeHistoryResponse>((done) =>
    server.client.getChargeHistory({ key: { $case: 'id', value } }, metadata, done),
  );
const list = (request: Partial<charges.ListChargesRequest>, metadata: Metadata) =>
  call<charges.ListChargesResponse>((done) =>
    server.client.listCharges(charges.ListChargesRequest.fromPartial(request), metadata, done),
  );
const query = (userProfile: string, metadata: Metadata, pageToken = '') =>
  call<QueryUsageResponse>((done) =>
    usage.queryUsage(
      {
        query: UsageQuery.fromPartial({ filter: { userProfile }, groupBy: [1, 5] }),
        pageSize: 1,
        pageToken,
      },
      metadata,
      done,
    ),
  );
const watch = (startSequence: bigint, metadata: Metadata, filter?: charges.ChargeFilter) =>
  server.client.watchCharges({ startSequence, filter }, metadata);

/** All responses of a stream that ends, or rejects with its failure. */
async function allOf<Response>(stream: ClientReadableStream<Response>): Promise<Response[]> {
  const responses: Response[] = [];
  stream.on('data', (response: Response) => responses.push(response));
  await once(stream, 'end');
  return responses;
}

describe('a key of one user profile', () => {
  test('records its own charges alone', async () => {
    const { charge } = await createWith(server.client, 'own', alice);
    expect(charge?.userProfile).toBe('alice');
    const failure = await failureOf(createWith(server.client, 'other', alice, { userProfile: 'bob' }));
    expect(failure).toMatchObject(denied);
    expect(failure.text).not.toContain('bob');
    expect(await failureOf(get({ $case: 'requestId', value: 'other' }, all))).toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  test('has the charges of others rejected in a batch and in a stream, and no others', async () => {
    const requests = ['alice', 'bob', 'alice'].map((userProfile, index) =>
      createRequest(`batch-${index}`, { userProfile }),
    );
    const { results } = await call<charges.BatchCreateChargesResponse>((done) =>
      server.client.batchCreateCharges({ requests }, alice, done),
    );
    const stream = server.client.recordCharges(alice);
    for (const request of requests)
      stream.write({ request: { ...request, requestId: `s-${request.requestId}` } });
    stream.end();
    const streamed = (await allOf<charges.RecordChargesResponse>(stream)).map(({ result }) => result);
    for (const found of [results, streamed]) {
      expect(found.map((result) => result?.outcome)).toEqual([1, 3, 1]);
      expect(summaryOf(found[1]?.status)).toMatchObject(denied);
    }
  });

  test('learns nothing from the request id of another', async () => {
    const failure = await failureOf(createWith(server.client, 'bob-1', alice));
    expect(failure).toMatchObject({ code: 'ALREADY_EXISTS', reason: 'REQUEST_ID_REUSED' });
    expect(failure.metadata).toEqual({ request_id: 'bob-1' });
    expect(failure.text).not.toContain(ids['bob']);
    const { results } = await call<charges.BatchCreateChargesResponse>((done) =>
      server.client.batchCreateCharges({ requests: [createRequest('bob-1')] }, alice, done),
    );
    expect(summaryOf(results[0]?.status).metadata).toEqual({ request_id: 'bob-1' });
    // Of its own charge, it learns what differs.
    const own = await failureOf(createWith(server.client, 'alice-1', alice, { model: 'another' }));
    expect(own.metadata).toEqual({ request_id: 'alice-1', field: 'model', charge_id: ids['alice'] });
  });

  test('finds the charges of others no more than those that do not exist', async () => {
    const unknown = '01a20a6a-095b-7539-b6d7-4b57391d118a';
    const text = 'There is no charge with this id.';
    for (const value of [unknown, ids['bob'] ?? '']) {
      const failure = { code: 'NOT_FOUND', reason: 'CHARGE_NOT_FOUND', metadata: { id: value }, text };
      expect(await failureOf(get({ $case: 'id', value }, alice))).toMatchObject(failure);
      expect(await failureOf(history(value, alice))).toMatchObject(failure);
    }
    const byRequest = await failureOf(get({ $case: 'requestId', value: 'bob-1' }, alice));
    expect(byRequest).toMatchObject({ code: 'NOT_FOUND', metadata: { request_id: 'bob-1' } });
    expect((await get({ $case: 'id', value: ids['alice'] ?? '' }, alice)).charge?.userProfile).toBe('alice');
    expect((await history(ids['alice'] ?? '', alice)).charge?.userProfile).toBe('alice');
  });

  test('lists, exports and sums up its own charges, whether it says so or not', async () => {
    for (const filter of [undefined, filterOf('alice')]) {
      const listed = (await list({ filter }, alice)).charges;
      const request = charges.ExportChargesRequest.fromPartial({ ...(filter && { filter }) });
      const exported = (await allOf(server.client.exportCharges(request, alice))).flatMap(
        (part) => part.charges,
      );
      expect(listed.length).toBeGreaterThan(0);
      expect(exported).toHaveLength(listed.length);
      for (const charge of [...listed, ...exported.map((item) => item.charge)]) {
        expect(charge?.userProfile).toBe('alice');
      }
    }
    const { rows } = await query('', alice);
    expect(rows.map(({ group }) => group?.userProfile)).toEqual(['alice']);
    const stream = usage.streamUsage({ query: UsageQuery.fromPartial({ groupBy: [1] }) }, alice);
    const streamed = (await allOf(stream)).flatMap((part) => part.rows);
    expect(streamed.map(({ group }) => group?.userProfile)).toEqual(['alice']);
  });

  test('may not ask for others', async () => {
    const filter = filterOf('bob');
    expect(await failureOf(list({ filter }, alice))).toMatchObject(denied);
    expect(await failureOf(query('bob', alice))).toMatchObject(denied);
    const exporting = charges.ExportChargesRequest.fromPartial({ filter });
    expect(await failureOf(allOf(server.client.exportCharges(exporting, alice)))).toMatchObject(denied);
    const asked = UsageQuery.fromPartial({ filter: { userProfile: 'bob' } });
    expect(await failureOf(allOf(usage.streamUsage({ query: asked }, alice)))).toMatchObject(denied);
    expect(await failureOf(allOf(watch(1n, alice, filter)))).toMatchObject(denied);
    const { charge } = createRequest('', { userProfile: 'bob' });
    expect(await failureOf(call((done) => prices.estimateCost({ charge }, alice, done)))).toMatchObject(
      denied,
    );
  });

  test('watches its own charges, and sees nothing of one that was given to another', async () => {
    const { charge } = await createWith(server.client, 'to-amend', all, { sessionKey: 'secret-session' });
    const replacement = createRequest('', { userProfile: 'bob', sessionKey: 'secret-of-bob' }).charge;
    const amended = await call<charges.AmendChargeResponse>((done) =>
      server.client.amendCharge(
        {
          key: { $case: 'id', value: charge?.id ?? '' },
          charge: replacement,
          requestId: 'amend',
          reason: 'it was the usage of another',
          allowClosedPeriod: false,
        },
        all,
        done,
      ),
    );
    const stream = watch(1n, alice);
    const events: charges.WatchChargesResponse['event'][] = [];
    const end = new Promise<void>((resolve) => {
      stream.on('error', () => resolve());
      stream.on('data', ({ event }: charges.WatchChargesResponse) => {
        events.push(event);
        if (event?.$case === 'chargeAmended') stream.cancel();
      });
    });
    await end;
    const last = events.at(-1);
    if (last?.$case !== 'chargeAmended') throw new Error('no amendment was seen');
    expect(last.value.original?.sessionKey).toBe('secret-session');
    expect(last.value.charge).toMatchObject({
      id: amended.charge?.id,
      userProfile: '',
      sessionKey: '',
      promptTokens: 0n,
    });
    for (const event of events.slice(0, -1)) expect((event && chargeOf(event))?.userProfile).toBe('alice');
  });

  test('may call no method that is not for one user profile', () => {
    const accessOf = readMethodAccess(readContractImage());
    const open = Object.values(charges.ChargeServiceService).flatMap(({ path }) => {
      const [, service = '', method = ''] = path.split('/');
      return accessOf({ service, method })?.forOneUserProfile ? [method] : [];
    });
    // Each of them is tested here. A method that is added needs a test.
    expect(open.sort()).toEqual([
      'BatchCreateCharges',
      'CreateCharge',
      'ExportCharges',
      'GetCharge',
      'GetChargeHistory',
      'ListCharges',
      'RecordCharges',
      'WatchCharges',
    ]);
  });
});

describe('another tenant', () => {
  test('finds no charge by id or request id, and may use the same request id', async () => {
    for (const key of [
      { $case: 'id', value: ids['alice'] ?? '' },
      { $case: 'requestId', value: 'alice-2' },
    ] as const) {
      expect(await failureOf(get(key, globex))).toMatchObject({
        code: 'NOT_FOUND',
        reason: 'CHARGE_NOT_FOUND',
      });
    }
    expect(await failureOf(history(ids['alice'] ?? '', globex))).toMatchObject({ code: 'NOT_FOUND' });
    const voiding = call((done) =>
      server.client.voidCharge(
        {
          key: { $case: 'id', value: ids['alice'] ?? '' },
          requestId: 'void',
          reason: 'not mine',
          allowClosedPeriod: false,
        },
        globex,
        done,
      ),
    );
    expect(await failureOf(voiding)).toMatchObject({ code: 'NOT_FOUND', reason: 'CHARGE_NOT_FOUND' });
    expect((await createWith(server.client, 'alice-2', globex)).replayed).toBe(false);
  });

  test('cannot use page tokens', async () => {
    const listed = await list({ pageSize: 1 }, all);
    const summed = await query('', all);
    expect(listed.nextPageToken).not.toBe('');
    expect(summed.nextPageToken).not.toBe('');
    for (const other of [globex, alice]) {
      const refused = { code: 'INVALID_ARGUMENT', reason: 'PAGE_TOKEN_INVALID' };
      expect(await failureOf(list({ pageSize: 1, pageToken: listed.nextPageToken }, other))).toMatchObject(
        refused,
      );
      expect(await failureOf(query('', other, summed.nextPageToken))).toMatchObject(refused);
      const resumed = charges.ExportChargesRequest.fromPartial({ resumeToken: listed.nextPageToken });
      expect(await failureOf(allOf(server.client.exportCharges(resumed, other)))).toMatchObject(refused);
    }
  });

  test('has a journal of its own', async () => {
    const { charge } = await createWith(server.client, 'first-of-journal', globex);
    const stream = watch(1n, globex);
    const seen: (string | undefined)[] = [];
    const tenants = new Set<string | undefined>();
    await new Promise<void>((resolve) => {
      stream.on('error', () => resolve());
      stream.on('data', ({ event }: charges.WatchChargesResponse) => {
        seen.push((event && chargeOf(event))?.id);
        tenants.add(event?.value.tenant);
        if ((event && chargeOf(event))?.id === charge?.id) stream.cancel();
      });
    });
    expect(tenants).toEqual(new Set(['globex']));
    expect(seen).not.toContain(ids['alice']);
    const beyond = await failureOf(allOf(watch(BigInt(seen.length) + 2n, globex)));
    expect(beyond).toMatchObject({ reason: 'SEQUENCE_OUT_OF_RANGE' });
  });
});
