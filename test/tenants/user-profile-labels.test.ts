/** Charges and usage by the labels of user profiles, as they are at the moment of the question. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import {
  type ChargeFilter,
  ExportChargesRequest,
  type ExportChargesResponse,
  ListChargesRequest,
  type ListChargesResponse,
  WatchChargesRequest,
  type WatchChargesResponse,
} from '../../generated/charge/v1/charge_service.ts';
import { UsageDimension } from '../../generated/charge/v1/usage_service.ts';
import { ALL_CHARGES } from '../../src/cli/lists.ts';
import { call, createRequest, errorOf, openTestServer, type TestServer } from '../support/server.ts';
import { openTestStore, type TestStore } from '../support/store.ts';
import { waitFor } from '../support/wait-for.ts';
import { openUsageClient, queryAllUsage, queryUsage } from '../usage/support/client.ts';
import { UserProfiles } from './support.ts';

let store: TestStore;
let server: TestServer;
let profiles: UserProfiles;
beforeAll(async () => {
  store = await openTestStore();
  server = await openTestServer(store.url);
  profiles = new UserProfiles(server.address);
  await profiles.create({ id: 'alice', labels: labels({ team: 'search', site: 'ber' }) });
  await profiles.create({ id: 'bob', labels: labels({ team: 'search' }) });
  await profiles.create({ id: 'carol', labels: labels({ team: 'ads' }) });
  await profiles.create({ id: 'dave' });
  const users = ['alice', 'bob', 'carol', 'dave', 'eve'];
  for (const [n, userProfile] of users.entries()) {
    for (let times = 0; times <= n; times++) await record(`${userProfile}-${times}`, userProfile);
  }
});
afterAll(async () => {
  profiles.close();
  await server.close();
  await store.close();
});

const labels = (entries: Record<string, string>): Map<string, string> => new Map(Object.entries(entries));

function record(requestId: string, userProfile: string): Promise<unknown> {
  const charge = { userProfile, promptTokens: 1n, completionTokens: 0n };
  return call((done) => server.client.createCharge(createRequest(requestId, charge), done));
}

function filterOf(userProfileLabels: Record<string, string>, userProfile = ''): ChargeFilter {
  return { ...ALL_CHARGES, userProfile, userProfileLabels: labels(userProfileLabels) };
}

function listPage(filter: ChargeFilter, pageSize: number, pageToken = ''): Promise<ListChargesResponse> {
  const request = { ...ListChargesRequest.fromPartial({ pageSize, pageToken }), filter };
  return call((done) => server.client.listCharges(request, done));
}

async function listedUsers(filter: ChargeFilter): Promise<string[]> {
  const users: string[] = [];
  let pageToken = '';
  do {
    const page = await listPage(filter, 2, pageToken);
    users.push(...page.charges.map(({ userProfile }) => userProfile));
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return users.sort();
}

async function exportedUsers(filter: ChargeFilter): Promise<string[]> {
  const users: string[] = [];
  const request = { ...ExportChargesRequest.fromPartial({}), filter };
  for await (const { charges } of server.client.exportCharges(
    request,
  ) as AsyncIterable<ExportChargesResponse>) {
    users.push(...charges.map(({ charge }) => charge?.userProfile ?? ''));
  }
  return users.sort();
}

test('lists and exports have the charges whose user profile carries every label', async () => {
  const cases: [ChargeFilter, string[]][] = [
    [filterOf({ team: 'search' }), ['alice', 'bob', 'bob']],
    [filterOf({ team: 'search', site: 'ber' }), ['alice']],
    [filterOf({ team: 'search' }, 'bob'), ['bob', 'bob']],
    [filterOf({ team: 'ads' }, 'bob'), []],
    [filterOf({ team: '' }), []],
  ];
  for (const [filter, users] of cases) {
    expect(await listedUsers(filter)).toEqual(users);
    expect(await exportedUsers(filter)).toEqual(users);
  }
});

test('a page token belongs to the labels of its filter', async () => {
  const { nextPageToken } = await listPage(filterOf({ team: 'search' }), 1);
  expect(await errorOf(listPage(filterOf({ team: 'ads' }), 1, nextPageToken))).toMatchObject({
    reason: 'PAGE_TOKEN_INVALID',
  });
  const usage = openUsageClient(server.address);
  const question = {
    groupByUserProfileLabels: ['team'],
    groupBy: [UsageDimension.USAGE_DIMENSION_USER_PROFILE],
  };
  const page = await queryUsage(usage, question, { pageSize: 1 });
  const others = [
    { ...question, groupByUserProfileLabels: ['site'] },
    { ...question, filter: { userProfileLabels: labels({ team: 'ads' }) } },
  ];
  for (const other of others) {
    const error = await errorOf(queryUsage(usage, other, { pageToken: page.nextPageToken }));
    expect(error).toMatchObject({ reason: 'PAGE_TOKEN_INVALID' });
  }
  usage.close();
});

async function chargesByTeam(): Promise<Record<string, bigint>> {
  const usage = openUsageClient(server.address);
  const { rows } = await queryAllUsage(usage, { groupByUserProfileLabels: ['team'] }, 1);
  usage.close();
  return Object.fromEntries(
    rows.map(({ group, charges }) => [group?.userProfileLabels.get('team') ?? '?', charges]),
  );
}

test('sums by a label add up to all charges, and follow the labels as they are now', async () => {
  // 'dave' has no labels, and 'eve' no user profile.
  expect(await chargesByTeam()).toEqual({ '': 9n, ads: 3n, search: 3n });
  await profiles.update({ id: 'dave', labels: labels({ team: 'ads' }) });
  expect(await chargesByTeam()).toEqual({ '': 5n, ads: 7n, search: 3n });
  await profiles.update({ id: 'dave' }, ['labels']);
  expect(await chargesByTeam()).toEqual({ '': 9n, ads: 3n, search: 3n });
});

test('a watch asks for the labels when it reads an event', async () => {
  const request = {
    ...WatchChargesRequest.fromPartial({}),
    filter: filterOf({ team: 'search' }),
    startSequence: 1n,
  };
  const stream = server.client.watchCharges(request);
  const seen: string[] = [];
  stream.on('data', ({ event }: WatchChargesResponse) => {
    if (event?.$case === 'chargeCreated') seen.push(event.value.charge?.userProfile ?? '');
  });
  stream.on('error', () => undefined);
  await waitFor('the history', () => seen.length === 3 || undefined);
  await record('eve-later', 'eve');
  await profiles.create({ id: 'frank', labels: labels({ team: 'search' }) });
  await record('frank-0', 'frank');
  await waitFor('the new charge', () => seen.length === 4 || undefined);
  stream.cancel();
  expect(seen).toEqual(['alice', 'bob', 'bob', 'frank']);
});
