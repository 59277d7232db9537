/** UserProfileService, as an administrator meets it. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { forTenant } from '../../../src/database/driver.ts';
import { readAuditEntries } from '../../../src/tenants/store/audit-log.ts';
import { createUserProfileReader } from '../../../src/tenants/store/user-profile-reader.ts';
import { errorOf, openTestServer, type TestServer } from '../../support/server.ts';
import { openTestStore, type TestStore } from '../../support/store.ts';
import { UserProfiles } from '../support.ts';

let store: TestStore;
let server: TestServer;
let profiles: UserProfiles;
beforeAll(async () => {
  store = await openTestStore();
  server = await openTestServer(store.url);
  profiles = new UserProfiles(server.address);
});
afterAll(async () => {
  profiles.close();
  await server.close();
  await store.close();
});

const labels = (entries: Record<string, string>): Map<string, string> => new Map(Object.entries(entries));

async function auditOf(target: string) {
  const entries = await readAuditEntries(forTenant(store.database.em, 'default'), 'default', undefined, 100);
  return entries
    .filter((entry) => entry.target === target)
    .map(({ action, actor, details }) => [action.split('/')[1], actor, Object.fromEntries(details)]);
}

test('a user profile is created with everything that the caller says, and read again', async () => {
  const asked = {
    id: 'zoë@example.com',
    displayName: 'Zoë',
    email: 'zoë@example.com',
    labels: labels({ team: 'search', __proto__x: '1' }),
    externalIds: labels({ ldap: 'uid=zoe' }),
  };
  const created = await profiles.create(asked);
  expect(created).toMatchObject(asked);
  expect(created?.createTime).toEqual(created?.updateTime);
  expect(created?.disableTime).toBeUndefined();
  expect(await profiles.get(asked.id)).toEqual(created);
  expect(await errorOf(profiles.create({ id: asked.id }))).toMatchObject({
    code: 'ALREADY_EXISTS',
    reason: 'USER_PROFILE_ALREADY_EXISTS',
    metadata: { user_profile: asked.id },
  });
  expect(await profiles.get(asked.id)).toEqual(created);
  expect(await auditOf(asked.id)).toEqual([['CreateUserProfile', 'anonymous', {}]]);
});

test('what does not exist is not found', async () => {
  for (const ask of [
    () => profiles.get('nobody'),
    () => profiles.update({ id: 'nobody', email: 'x' }),
    () => profiles.disable('nobody'),
    () => profiles.enable('nobody'),
  ]) {
    expect(await errorOf(ask())).toMatchObject({ code: 'NOT_FOUND', reason: 'USER_PROFILE_NOT_FOUND' });
  }
  expect(await auditOf('nobody')).toEqual([]);
});

test('an update sets the fields that the mask names, and empties those that are empty', async () => {
  await profiles.create({
    id: 'masked',
    displayName: 'M',
    email: 'm@x',
    labels: labels({ team: 'a', seat: '1' }),
  });
  const changed = await profiles.update({ id: 'masked', labels: labels({ team: 'b' }) }, ['labels', 'email']);
  expect(changed).toMatchObject({ displayName: 'M', email: '', labels: labels({ team: 'b' }) });
  const unmasked = await profiles.update({ id: 'masked', email: 'n@x' });
  expect(unmasked).toMatchObject({ displayName: 'M', email: 'n@x', labels: labels({ team: 'b' }) });
  // The same again changes nothing, and nobody did anything.
  expect(await profiles.update({ id: 'masked', email: 'n@x' })).toEqual(unmasked);
  expect(await profiles.get('masked')).toEqual(unmasked);
  expect(await auditOf('masked')).toEqual([
    ['UpdateUserProfile', 'anonymous', { changed: 'email' }],
    ['UpdateUserProfile', 'anonymous', { changed: 'labels, email' }],
    ['CreateUserProfile', 'anonymous', {}],
  ]);
  expect(await errorOf(profiles.update({ id: 'masked' }, ['labels.team']))).toMatchObject({
    code: 'INVALID_ARGUMENT',
    violations: [{ rule: 'update_user_profile.mask_known' }],
  });
});

test('a user profile is disabled once, and enabled once', async () => {
  await profiles.create({ id: 'leaver' });
  const disabled = await profiles.disable('leaver');
  expect(disabled?.disableTime).toBeDefined();
  expect(await profiles.disable('leaver')).toEqual(disabled);
  expect((await profiles.enable('leaver'))?.disableTime).toBeUndefined();
  expect((await profiles.enable('leaver'))?.disableTime).toBeUndefined();
  const actions = (await auditOf('leaver')).map(([action]) => action);
  expect(actions).toEqual(['EnableUserProfile', 'DisableUserProfile', 'CreateUserProfile']);
});

test('lists go by the bytes of the id, in pages that are bound to their labels', async () => {
  const team = labels({ team: 'listed' });
  for (const id of ['list-b', 'list-ä', 'list-a', 'list-Z']) await profiles.create({ id, labels: team });
  await profiles.create({ id: 'list-other' });
  const ids: string[] = [];
  let pageToken = '';
  do {
    const page = await profiles.list({ labels: team, pageSize: 3, pageToken });
    ids.push(...page.userProfiles.map(({ id }) => id));
    pageToken = page.nextPageToken;
    if (pageToken === '') break;
    const error = await errorOf(profiles.list({ labels: labels({ team: 'x' }), pageToken }));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'PAGE_TOKEN_INVALID' });
  } while (pageToken !== '');
  expect(ids).toEqual(['list-Z', 'list-a', 'list-b', 'list-ä']);
  const all = (await profiles.list()).userProfiles.map(({ id }) => id);
  expect(all).toEqual(expect.arrayContaining([...ids, 'list-other']));
});

test('a list that compares many user profiles goes on after those that it looked at', async () => {
  const reader = createUserProfileReader(store.reads, 2);
  const wanted = labels({ rare: 'yes' });
  await profiles.create({ id: 'zz-1' });
  await profiles.create({ id: 'zz-2' });
  await profiles.create({ id: 'zz-3', labels: wanted });
  await profiles.create({ id: 'zz-4' });
  let after: string | undefined;
  const found: string[] = [];
  let pages = 0;
  do {
    const page = await reader.list('default', { labels: wanted, after, limit: 10 });
    found.push(...page.userProfiles.map(({ id }) => id));
    after = page.next;
    pages++;
  } while (after !== undefined);
  expect(found).toEqual(['zz-3']);
  expect(pages).toBeGreaterThan(2);
});

test('another tenant has no user profile of this one', async () => {
  await profiles.create({ id: 'ours' });
  const reader = createUserProfileReader(store.reads);
  expect(await reader.find('acme', 'ours')).toBeUndefined();
  const page = await reader.list('acme', { labels: new Map(), after: undefined, limit: 10 });
  expect(page).toEqual({ userProfiles: [], next: undefined });
});
