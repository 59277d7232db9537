/** Reads of which few are done at a time: a tenant that asks for all of them keeps no other one out. */

import { once } from 'node:events';

import { ChannelCredentials, type Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client } from 'pg';

import {
  ExportChargesRequest,
  type ExportChargesResponse,
} from '../../../generated/charge/v1/charge_service.ts';
import {
  QueryUsageRequest,
  type QueryUsageResponse,
  UsageServiceClient,
} from '../../../generated/charge/v1/usage_service.ts';
import { OPEN } from '../../../src/tenants/credentials/settings.ts';
import type { TestDatabase } from '../../support/database.ts';
import { failureOf } from '../../support/errors.ts';
import { call, createRequest, openClient, openTestServer, type TestServer } from '../../support/server.ts';
import { waitFor } from '../../support/wait-for.ts';
import { addKey, bearer, createTenantDatabase, createWith } from '../support/credentials.ts';

let database: TestDatabase;
let server: TestServer;
let usage: UsageServiceClient;
/** Of one user profile of `acme`: the least that anybody has. */
let acme: Metadata;
let globex: Metadata;

beforeAll(async () => {
  database = await createTenantDatabase();
  server = await openTestServer(database.url, { credentials: { ...OPEN, required: true } });
  usage = new UsageServiceClient(server.address, ChannelCredentials.createInsecure());
  acme = bearer((await addKey(database.url, { userProfile: 'alice' })).key);
  globex = bearer((await addKey(database.url, { tenant: 'globex' })).key);
  await createWith(server.client, 'of globex', globex);
});
afterAll(async () => {
  usage.close();
  await server.close();
  await database.drop();
});

test('exports that nobody reads', async () => {
  // More than what the transport takes on its way.
  const labels = new Map(Array.from({ length: 16 }, (_, i) => [`label-${i}`, 'x'.repeat(255)]));
  for (let batch = 0; batch < 8; batch++) {
    const requests = Array.from({ length: 400 }, (_, i) => createRequest(`r-${batch}-${i}`, { labels }));
    await call((done) => server.client.batchCreateCharges({ requests }, acme, done));
  }
  const clients = Array.from({ length: 8 }, () => openClient(server.address));
  const request = ExportChargesRequest.fromPartial({});
  for (const client of clients) {
    const stream = client.exportCharges(request, acme).on('error', () => undefined);
    await once(stream, 'data');
    stream.pause();
  }
  const another = server.client.exportCharges(request, acme);
  expect(await failureOf(once(another, 'data'))).toMatchObject({ metadata: { limit: 'open_exports' } });
  const [part] = (await once(server.client.exportCharges(request, globex), 'data')) as [
    ExportChargesResponse,
  ];
  expect(part.charges.map(({ requestId }) => requestId)).toEqual(['of globex']);
  for (const client of clients) client.close();
});

test('questions about usage that wait', async () => {
  const locker = new Client(database.url);
  await locker.connect();
  await locker.query('BEGIN; LOCK TABLE usage_cursor IN ACCESS EXCLUSIVE MODE');
  const request = QueryUsageRequest.fromPartial({ query: {} });
  const ask = (metadata: Metadata) =>
    call<QueryUsageResponse>((done) => usage.queryUsage(request, metadata, done));
  let refused = 0;
  // One is answered, 16 wait.
  const flood = Array.from({ length: 60 }, () => ask(acme).catch(() => void refused++));
  await waitFor('the queue to be full', () => refused === 43);
  const other = ask(globex);
  // The queue is still full when the call before this one is there.
  expect(await failureOf(ask(acme))).toMatchObject({ metadata: { limit: 'waiting_calls' } });
  await locker.query('COMMIT');
  await locker.end();
  expect((await other).rows[0]?.charges).toBe(1n);
  await Promise.all(flood);
  expect(refused).toBe(43);
});

test('reads that wait for a connection', async () => {
  const locker = new Client(database.url);
  await locker.connect();
  await locker.query('BEGIN; LOCK TABLE charge IN ACCESS EXCLUSIVE MODE');
  // A connection carries 100 calls at a time.
  const clients = Array.from({ length: 5 }, () => openClient(server.address));
  const ended: string[] = [];
  const get = (requestId: string, client: TestServer['client'], metadata: Metadata) =>
    call((done) => client.getCharge({ key: { $case: 'requestId', value: requestId } }, metadata, done)).then(
      () => ended.push(requestId),
    );
  const flood = clients.flatMap((client) => Array.from({ length: 90 }, () => get('r-0-0', client, acme)));
  await locker.query('SELECT pg_sleep(0.5)');
  const other = get('of globex', server.client, globex);
  await locker.query('SELECT pg_sleep(0.5)');
  await locker.query('COMMIT');
  await locker.end();
  await Promise.all([...flood, other]);
  // Eight were being read, and a few more answers were on their way.
  expect(ended.indexOf('of globex')).toBeLessThan(100);
  for (const client of clients) client.close();
});
