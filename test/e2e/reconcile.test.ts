/** `charge reconcile` on a running service: finds and repairs what somebody has damaged. */

import { execFile } from 'node:child_process';

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect, nanos } from '@nats-io/transport-node';

import { query } from '../embedded/support.ts';
import { createMigratedDatabase, type TestDatabase } from '../support/database.ts';
import { startTestNats, type TestNats } from '../support/nats.ts';
import { readStream } from '../support/stream.ts';
import { ROOT } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';
import { createMany, readyz, Services } from './support.ts';

let services: Services;
let database: TestDatabase;
let nats: TestNats;
let address: string;
let http: string;

beforeAll(async () => {
  [services, database, nats] = await Promise.all([
    Services.open(),
    createMigratedDatabase(),
    startTestNats(),
  ]);
  const connection = await connect({ servers: nats.url });
  const { streams } = await jetstreamManager(connection);
  await streams.add({ name: 'CHARGES', subjects: ['charge.>', 'budget.>'], duplicate_window: nanos(100) });
  await connection.close();
  const service = services.start({ DATABASE_URL: database.url, NATS_URL: nats.url, PROCESSES: '2' });
  ({ grpc: address, http } = await service.ready());
  await createMany(await service.client(), 'a', 50);
  await waitFor('the relay', async () => (await readyz(http)).checks['events_waiting'] === 0);
  await waitFor('the sums', async () => {
    const [row] = await query(database.url, 'SELECT sequence::int FROM usage_cursor');
    return row?.['sequence'] === 50;
  });
});
afterAll(async () => {
  await services.close();
  await Promise.all([database.drop(), nats.stop()]);
});

interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function reconcile(...args: string[]): Promise<Ran> {
  const command = ['src/cli/charge.js', 'reconcile', '--address', address, ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, command, { cwd: ROOT }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

test('a service that nobody has touched agrees', async () => {
  expect(await reconcile()).toMatchObject({ status: 0, stdout: 'Everything agrees, as of event 50.\n' });
});

test('every damage is found by day with what to do, and repaired after a question', async () => {
  const connection = await connect({ servers: nats.url });
  const { streams } = await jetstreamManager(connection);
  await streams.deleteMessage('CHARGES', 7, false);
  await connection.close();
  await query(database.url, 'ALTER TABLE journal DISABLE TRIGGER USER');
  await query(database.url, 'DELETE FROM journal WHERE last_sequence <= 50');
  await query(
    database.url,
    `INSERT INTO journal SELECT 'default', 49, 1, array_agg(id ORDER BY id) FROM (SELECT id FROM charge ORDER BY id LIMIT 49) AS c`,
  );
  await query(database.url, 'UPDATE journal_head SET last_sequence = 49');
  await query(database.url, 'UPDATE relay_cursor SET published_sequence = 49');
  await query(database.url, 'UPDATE usage_cursor SET sequence = 49');
  await query(database.url, 'UPDATE usage_rollup SET total_tokens = total_tokens + 1 WHERE level = 2');
  await query(database.url, 'ALTER TABLE journal ENABLE TRIGGER USER');

  const { status, stdout } = await reconcile();
  expect(status).toBe(1);
  expect(stdout).toMatch(/^DAY +FINDING +EXPECTED +FOUND +REPAIRED +WHAT$/m);
  expect(stdout).toMatch(/^\d{4}-\d\d-\d\d +charge without event +no +[0-9a-f-]{36}$/m);
  expect(stdout).toMatch(
    /^\d{4}-\d\d-\d\d +sums differ from charges +20,900 +20,901 +no +total_tokens by day, 1 sum/m,
  );
  expect(stdout).toMatch(/^ +events are not in the stream +no +event 7$/m);
  expect(stdout).toContain('--repair does that.');
  expect(stdout).toContain('foreign messages in the stream');

  const refused = await reconcile('--repair');
  expect(refused).toMatchObject({ status: 2, stderr: expect.stringContaining('--yes agrees') });

  const repair = await reconcile('--repair', '--yes', '--json');
  const report = JSON.parse(repair.stdout) as { findings: { kind: string; repaired?: boolean }[] };
  expect(new Set(report.findings.filter(({ repaired }) => repaired).map(({ kind }) => kind))).toEqual(
    new Set([
      'FINDING_KIND_CHARGE_WITHOUT_EVENT',
      'FINDING_KIND_SUM_DIFFERS',
      'FINDING_KIND_STREAM_EVENTS_MISSING',
    ]),
  );
  await waitFor('the new event', async () => (await readyz(http)).checks['events_waiting'] === 0);
  await waitFor('agreement', async () => {
    const again = await reconcile('--repair', '--yes');
    return again.status === 0 && again.stdout.includes('agrees');
  });
  const sequences = (await readStream(nats.url)).map(({ headers }) => Number(headers['ce-sequence']));
  expect(sequences.filter((sequence) => sequence === 7)).toHaveLength(1);
});

test('wrong flags are all named, and nothing is done', async () => {
  const { status, stderr } = await reconcile(
    '--check',
    'sums,sum',
    '--from',
    '2026-10-01',
    '--to',
    '2026-09-01',
  );
  expect(status).toBe(2);
  expect(stderr).toContain('--check: "sum" is none of sums, journal, stream');
  expect(stderr).toContain('--from must be before --to');
});

test('a service that is not there', async () => {
  const { status, stderr } = await reconcile('--address', '127.0.0.1:1');
  expect(status).toBe(3);
  expect(stderr).toContain('no gRPC service answers');
});
