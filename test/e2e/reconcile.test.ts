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

const reconcile = (...args: string[]) => run('reconcile', '--address', address, ...args);

function run(...args: string[]): Promise<Ran> {
  const command = ['src/cli/charge.js', ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, command, { cwd: ROOT }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

/** Of all charges. */
async function usageDay(): Promise<string> {
  const [row] = await query(
    database.url,
    `SELECT (usage_time AT TIME ZONE 'UTC')::date::text AS day FROM charge`,
  );
  return String(row?.['day']);
}

test('a service that nobody has touched agrees', async () => {
  const day = await usageDay();
  const agreed = await reconcile();
  expect(agreed).toMatchObject({
    status: 0,
    stdout: `Everything agrees, as of sequence 50. Compared:
  journal with charges    50 events, 50 charges
  kept sums with charges  1 day from ${day} to ${day}, 50 charges
  stream with journal     50 messages, 50 events
`,
  });
  // The last thing that is seen of the progress is its end.
  expect(agreed.stderr.trim().split('\n').at(-1)).toBe('stream with journal: 50 of 50 messages');
  const { status, stdout } = await reconcile('--check', 'sums', '--json');
  expect({ status, ...(JSON.parse(stdout) as object) }).toEqual({
    status: 'agrees',
    error: null,
    findings: [],
    summary: {
      counts: [],
      drifts: '0',
      last_sequence: '50',
      tenant: 'default',
      compared: [
        {
          check: 'RECONCILE_CHECK_SUMS',
          days: '1',
          charges: '50',
          events: '0',
          messages: '0',
          first_day: `${day}T00:00:00Z`,
          last_day: `${day}T00:00:00Z`,
        },
      ],
    },
  });
  expect(status).toBe(0);
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
  const day = await usageDay();
  expect(stdout).toMatch(/^TENANT +DAY +COMPARED +EXPECTED +FOUND +DIFFERENCE +REPAIRED +WHAT$/m);
  const rows = stdout.slice(0, stdout.indexOf('\n\n')).split('\n').slice(1);
  expect(rows.map((row) => row.replace(/[0-9a-f-]{36}/, 'ID').split(/ {2,}/))).toEqual(
    expect.arrayContaining([
      ['default', 'stream with journal', '1', '0', '-1', 'no', 'events are not in the stream: event 7'],
      ['default', day, 'journal with charges', '1', '0', '-1', 'no', 'charge without event: ID'],
      [
        ...['default', day, 'kept sums with charges', '20,900', '20,901', '+1', 'no'],
        'sums differ from charges: total_tokens by day, 1 sum, of gpt-4o',
      ],
    ]),
  );
  expect(stdout).toContain('--repair does that.');
  expect(stdout).toContain('foreign messages in the stream');

  const refused = await reconcile('--repair');
  expect(refused).toMatchObject({ status: 2, stderr: expect.stringContaining('--yes agrees') });
  expect((await run('audit', 'list', '--address', address)).stdout).not.toContain('Reconcile');

  const repair = await reconcile('--repair', '--yes', '--json');
  const report = JSON.parse(repair.stdout) as { findings: { kind: string; repaired?: boolean }[] };
  expect(new Set(report.findings.filter(({ repaired }) => repaired).map(({ kind }) => kind))).toEqual(
    new Set([
      'FINDING_KIND_CHARGE_WITHOUT_EVENT',
      'FINDING_KIND_SUM_DIFFERS',
      'FINDING_KIND_STREAM_EVENTS_MISSING',
    ]),
  );
  const audited = (await run('audit', 'list', '--address', address)).stdout
    .split('\n')
    .filter((line) => line.includes('Reconcile'));
  expect(audited.map((line) => line.slice(line.indexOf('UsageService')).replaceAll(/ +/g, ' '))).toEqual([
    expect.stringMatching(/^UsageService\/Reconcile stream last_sequence=(49|50) first_sequence=7$/),
    expect.stringMatching(/^UsageService\/Reconcile sums day=\d{4}-\d\d-\d\d$/),
    'UsageService/Reconcile journal charges=1 last_sequence=50 first_sequence=50',
  ]);
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
