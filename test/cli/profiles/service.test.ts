/** `charge profile …` and `charge usage --by profile-label:…` on a real service. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { call, createRequest, openTestServer, type TestServer } from '../../support/server.ts';
import { openTestStore, type TestStore } from '../../support/store.ts';
import { runInProcess } from '../support/in-process.ts';

let store: TestStore;
let server: TestServer;
beforeAll(async () => {
  store = await openTestStore();
  server = await openTestServer(store.url);
});
afterAll(async () => {
  await server.close();
  await store.close();
});

const run = (...args: string[]) => runInProcess(...args, '--address', server.address);

async function json(...args: string[]): Promise<unknown> {
  const { code, stdout, stderr } = await run('profile', ...args, '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}

test('a user profile is created, changed, shown, disabled and enabled', async () => {
  const created = await json(
    ...['create', 'ann', '--name', 'Ann', '--email', 'ann@example.com'],
    ...['--label', 'team=search', '--label', 'site=ber', '--external-id', 'ldap=uid=ann'],
  );
  expect(created).toMatchObject({
    id: 'ann',
    displayName: 'Ann',
    labels: { team: 'search', site: 'ber' },
    externalIds: { ldap: 'uid=ann' },
  });
  const updated = await json('update', 'ann', '--label', 'team=ads', '--email', '', '--no-external-ids');
  expect(updated).toMatchObject({ displayName: 'Ann', labels: { team: 'ads' } });
  expect(updated).not.toHaveProperty('email');
  expect(updated).not.toHaveProperty('externalIds');
  expect(await json('disable', 'ann')).toHaveProperty('disableTime');
  expect(await json('enable', 'ann')).not.toHaveProperty('disableTime');
  const { stdout } = await run('profile', 'show', 'ann');
  expect(stdout.split('\n')[1]).toMatch(/^ann +Ann +team=ads +\d{4}-/);
});

test('a list has the user profiles with a label', async () => {
  await json('create', 'list-1', '--label', 'floor=1');
  await json('create', 'list-2', '--label', 'floor=2', '--name', 'evil\u001b[31m');
  const { stdout } = await run('profile', 'list', '--label', 'floor=2');
  expect(stdout).toContain('list-2');
  expect(stdout).not.toContain('list-1');
  expect(stdout).not.toContain('\u001b');
  expect((await run('profile', 'list', '--label', 'floor=3')).stdout).toBe(
    'There are no such user profiles.\n',
  );
});

test('what cannot be done is said, with the exit status', async () => {
  expect(await run('profile', 'show', 'nobody')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('There is no user profile nobody') as unknown,
  });
  expect(await run('profile', 'update', 'nobody')).toMatchObject({ code: 2 });
  const wrong = await run('profile', 'create', 'x', '--label', 'team');
  expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('not KEY=VALUE') as unknown });
});

test('usage is summed by a label, and of those who carry one', async () => {
  await json('create', 'zoe', '--label', 'unit=one');
  for (const [requestId, userProfile] of [
    ['1', 'zoe'],
    ['2', 'zoe'],
    ['3', 'someone'],
  ] as const) {
    await call((done) => server.client.createCharge(createRequest(requestId, { userProfile }), done));
  }
  const usage = async (...args: string[]) => {
    const { code, stdout, stderr } = await run('usage', ...args, '--csv');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return stdout;
  };
  const byUnit = await usage('--by', 'profile-label:unit');
  expect(byUnit).toMatch(/,profile-label:unit,/);
  expect(byUnit).toMatch(/,one,2,/);
  expect(byUnit.trim().split('\n')).toHaveLength(3);
  expect((await usage('--by', 'user', '--profile-label', 'unit=one')).trim().split('\n')).toHaveLength(2);
});
