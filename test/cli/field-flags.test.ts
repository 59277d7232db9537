/** Errors of a real service about what was typed: they name flags, not fields of the request. */

import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { call, createRequest, openTestServer, type TestServer } from '../support/server.ts';
import { openTestStore, type TestStore } from '../support/store.ts';
import { runInProcess } from './support/in-process.ts';

let store: TestStore;
let server: TestServer;
beforeAll(async () => {
  store = await openTestStore();
  server = await openTestServer(store.url);
  await call((callback) => server.client.createCharge(createRequest('one'), callback));
});
afterAll(async () => {
  await server.close();
  await store.close();
  for (const name of [`${FILE}.part`, `${FILE}.part.json`]) rmSync(name, { force: true });
});

const FILE = join(tmpdir(), `field-flags-${process.pid}.csv`);
const LONG = 'x'.repeat(300);
const KEY = 'k'.repeat(80);
const REFUSED = 'The service refused: INVALID_ARGUMENT (VALIDATION_FAILED): ';

test.each([
  [
    ['usage', '--from', '2020-01-01', '--to', '2027-01-01', '--window', '15m'],
    '--window: divides the range into more than 50,000 windows; ask for longer ones, or for a shorter range',
  ],
  [
    ['usage', '--session', LONG, '--label', `${KEY}=v`],
    `--session: must be at most 255 characters; --label ${KEY}: the key must be at most 63 characters`,
  ],
  [['top', 'users', '--reference', LONG], '--reference: must be at most 255 characters'],
  [['export', '--output', FILE, '--user', LONG], '--user: must be at most 255 characters'],
  [['export', 'usage', '--output', FILE, '--model', LONG], '--model: must be at most 255 characters'],
  [['close-period', '--before', '2999-01-01', '--yes'], '--before: must be less than now'],
])('%j', async (args, message) => {
  const { code, stderr } = await runInProcess(...args, '--address', server.address);
  expect(stderr).toContain(`${REFUSED}${message}\n`);
  expect(code).toBe(1);
});

test('an archive names the flag that has the time', async () => {
  const archive = async (...args: string[]) => {
    const flags = ['--output', '/nowhere/a.ndjson', '--dry-run', '--address', server.address];
    return (await runInProcess('archive', ...flags, ...args)).stderr;
  };
  expect(await archive('--before', '2999-01-01')).toContain(`${REFUSED}--before: must be less than now`);
  expect(await archive('--before', '2998-01-01', '--period-end', '2999-01-01')).toContain(
    `${REFUSED}--period-end: must be less than now`,
  );
});
