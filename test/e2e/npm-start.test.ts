/** `npm start` and its signals: the service stops in order, and nothing of it is left, whoever sends them. */

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Client } from 'pg';

import type { CreateChargeResponse } from '../../generated/charge/v1/charge_service.ts';
import { childrenOf } from '../../src/embedded/process.ts';
import { createMigratedDatabase, type TestDatabase } from '../support/database.ts';
import { call, createRequest } from '../support/server.ts';
import { makeDataDir, Service } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';

let database: TestDatabase;
let dataDir: Awaited<ReturnType<typeof makeDataDir>>;
let service: Service;

beforeEach(async () => {
  [database, dataDir] = await Promise.all([createMigratedDatabase(), makeDataDir()]);
});
afterEach(async () => {
  await service.cleanUp();
  await Promise.all([database.drop(), dataDir.remove()]);
});

function npmStart(env: Record<string, string>): Service {
  // Silent: npm's own lines are no JSON.
  const command = ['npm', '--silent', 'start'];
  service = new Service({ DATA_DIR: dataDir.path, ...env }, { command, detached: true });
  return service;
}

/** A NATS that is not there: charges need none. */
const external = () => ({ DATABASE_URL: database.url, NATS_URL: 'nats://127.0.0.1:1' });

/** As a terminal does it for Ctrl-C. */
function signalGroup(signal: NodeJS.Signals): void {
  process.kill(-service.pid, signal);
}

function isGroupGone(): boolean {
  try {
    process.kill(-service.pid, 0);
    return false;
  } catch {
    return true;
  }
}

const stops = () => service.lines.filter(({ msg }) => msg.startsWith('stopping;'));

test.each([
  ['SIGTERM to npm alone, as from a service manager', () => void service.process.kill('SIGTERM')],
  ['Ctrl-C, which reaches npm and the service, and which npm passes on', () => signalGroup('SIGINT')],
])(
  '%s: an ordered stop',
  async (_, send) => {
    await npmStart(external()).ready();
    send();
    expect(await service.exited()).toBe(0);
    expect(service.lines.at(-1)?.msg).toBe('stopped');
    expect(stops()).toHaveLength(1);
    expect(isGroupGone()).toBe(true);
  },
  120_000,
);

test('Ctrl-C while it waits for PostgreSQL: an ordered stop, and the log says so', async () => {
  npmStart({ ...external(), DATABASE_URL: 'postgresql://svc@127.0.0.1:1/book' });
  await waitFor('the service to wait', () =>
    service.lines.some(({ msg }) => msg.startsWith('cannot use PostgreSQL yet')),
  );
  signalGroup('SIGINT');
  expect(await service.exited()).toBe(0);
  expect(service.lines.at(-1)?.msg).toBe('stopped before it was ready');
  expect(isGroupGone()).toBe(true);
});

test('a crash is no stop for npm either', async () => {
  await npmStart(external()).ready();
  const [started] = childrenOf(service.pid);
  process.kill(started ?? 0, 'SIGKILL');
  expect(await service.exited()).toBe('SIGKILL');
  await waitFor('the server processes to follow', isGroupGone);
});

test('a second Ctrl-C ends a stop that waits for a call, and leaves no embedded server', async () => {
  const { postgresql } = await npmStart({}).ready();
  const blocker = new Client({ connectionString: await embeddedUrl(postgresql) });
  blocker.on('error', () => undefined);
  await blocker.connect();
  await blocker.query('BEGIN; LOCK TABLE charge');
  const client = await service.client();
  const pending = call<CreateChargeResponse>((callback) =>
    client.createCharge(createRequest('pending'), callback),
  );
  const failed = expect(pending).rejects.toThrow();
  await waitFor('the call', async () => {
    const { rows } = await blocker.query(`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'`);
    return rows.length > 0;
  });
  signalGroup('SIGINT');
  await waitFor('the stop', () => stops().length === 1);
  await waitFor(
    'an end',
    () => {
      // One that comes within a second is the same Ctrl-C.
      if (!isGroupGone()) signalGroup('SIGINT');
      return service.lines.some(({ msg }) => msg.startsWith('ended at once'));
    },
    { intervalMs: 200 },
  );
  expect(await service.exited()).toBe(130);
  await failed;
  await waitFor('every process to be gone', async () => {
    const { stdout } = await promisify(execFile)('ps', ['-eo', 'args']);
    return isGroupGone() && !stdout.includes(dataDir.path);
  });
});

async function embeddedUrl(address: string): Promise<string> {
  const password = (await readFile(`${dataDir.path}/postgres.password`, 'utf8')).trim();
  return `postgresql://charge:${password}@${address}`;
}
