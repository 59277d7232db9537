/** What a process remembers of user profiles. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { KnownUserProfiles } from '../../../src/tenants/index.ts';
import { openTestStore, type TestStore } from '../../support/store.ts';

let store: TestStore;
beforeAll(async () => {
  store = await openTestStore();
});
afterAll(() => store.close());

const TENANT = 'default';

async function create(...ids: string[]): Promise<void> {
  await store.owner.pool.query(
    `INSERT INTO user_profile (tenant, id, create_time, update_time) SELECT $1, unnest($2::text[]), now(), now()`,
    [TENANT, ids],
  );
}

/** As nothing but a test does it: whoever looks at the row finds out, and nobody else. */
async function disableUnseen(id: string): Promise<void> {
  await store.owner.pool.query('UPDATE user_profile SET disable_time = now() WHERE id = $1', [id]);
}

test('enabled user profiles are not looked up again until they are forgotten', async () => {
  const known = new KnownUserProfiles(store.database.em);
  await create('a', 'b');
  const faults = async (...ids: string[]) => [...(await known.check(TENANT, ids)).faults];
  expect(await faults('a', 'b', 'a', 'nobody')).toEqual([['nobody', 'unknown']]);
  await disableUnseen('a');
  expect(await faults('a', 'b')).toEqual([]);
  // One that is not known makes the whole group be looked up.
  expect(await faults('a', 'nobody')).toEqual([
    ['a', 'disabled'],
    ['nobody', 'unknown'],
  ]);
  await disableUnseen('b');
  known.forget(TENANT);
  expect(await faults('b')).toEqual([['b', 'disabled']]);
});

test('what was known for another version is forgotten', async () => {
  const known = new KnownUserProfiles(store.database.em);
  await create('c', 'd');
  const { version } = await known.check(TENANT, ['c']);
  await store.owner.pool.query('UPDATE journal_head SET user_profile_version = user_profile_version + 1');
  await disableUnseen('c');
  expect(await known.check(TENANT, ['d'])).toEqual({ version: version + 1, faults: new Map() });
  expect((await known.check(TENANT, ['c'])).faults).toEqual(new Map([['c', 'disabled']]));
});

test('no more are remembered than there is room for', async () => {
  const known = new KnownUserProfiles(store.database.em, 2);
  await create('e', 'f', 'g');
  await known.check(TENANT, ['e', 'f']);
  await disableUnseen('e');
  expect((await known.check(TENANT, ['e'])).faults.size).toBe(0);
  await known.check(TENANT, ['g']);
  expect((await known.check(TENANT, ['e'])).faults.size).toBe(1);
});
