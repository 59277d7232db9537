/** PostgreSQL restarts, and a fail-over leaves one that only reads: seen by callers, `/readyz` and the log. */

import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import type {
  ChargeServiceClient,
  CreateChargeResponse,
  ListChargesResponse,
} from '../../generated/charge/v1/charge_service.ts';
import { migrate } from '../../src/database/migrate.ts';
import { startEmbeddedPostgres } from '../../src/embedded/postgres.ts';
import { freshDirectory, query, recordingLogger } from '../embedded/support.ts';
import { createTestDatabase } from '../support/database.ts';
import { startTestNats, type TestNats } from '../support/nats.ts';
import { call, createRequest, decodeError, errorOf } from '../support/server.ts';
import { Service } from '../support/service.ts';
import { countStream } from '../support/stream.ts';
import { waitFor } from '../support/wait-for.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

let nats: TestNats;
let service: Service | undefined;
beforeEach(async () => {
  nats = await startTestNats();
});
afterEach(async () => {
  await service?.cleanUp();
  service = undefined;
  await nats.stop();
});

const create = (client: ChargeServiceClient, requestId: string) =>
  call<CreateChargeResponse>((callback) => client.createCharge(createRequest(requestId), callback));
const readyz = async (http: string) => {
  const response = await fetch(`http://${http}/readyz`);
  const { checks } = (await response.json()) as { checks: Record<string, unknown> };
  return { status: response.status, postgresql: checks['postgresql'] };
};

/** What the log says of the database, in order. */
function logged(): string[] {
  const messages = service?.lines.map(({ msg }) => msg) ?? [];
  return messages.filter((msg) => msg.startsWith('ready') || /PostgreSQL: |writable/.test(msg));
}

test('a database that only reads is told by its cause from the start on, and heals without a restart', async () => {
  const database = await createTestDatabase();
  const name = new URL(database.url).pathname.slice(1);
  const setReadOnly = (value: string) =>
    query(
      database.url,
      'SET default_transaction_read_only = off',
      `ALTER DATABASE ${name} SET default_transaction_read_only = ${value}`,
    );
  try {
    await migrate(database.url, { lockTimeoutMs: 30_000 });
    await setReadOnly('on');
    const http = `127.0.0.1:${await freePort()}`;
    service = new Service({ DATABASE_URL: database.url, NATS_URL: nats.url, METRICS_LISTEN: http });
    const readOnly = {
      status: 503,
      postgresql: expect.stringMatching(/^read-only: cannot execute .* \(25006\)$/),
    };
    const unready = () => waitFor('unreadiness', async () => (await readyz(http)).status === 503);
    await waitFor('the first verdict', async () => (await readyz(http)).postgresql !== 'unknown');
    expect(await readyz(http)).toEqual(readOnly);
    await setReadOnly('off');
    const client = await service.client();
    await create(client, 'before');

    await setReadOnly('on');
    await query(
      database.url,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    const refused = await errorOf(create(client, 'during'));
    expect(refused).toMatchObject({ code: 'UNAVAILABLE', reason: 'DATABASE_UNAVAILABLE' });
    await unready();
    expect(await readyz(http)).toEqual(readOnly);
    const page = await call<ListChargesResponse>((callback) =>
      client.listCharges(
        { filter: undefined, order: 0, pageSize: 0, pageToken: '', includeCorrected: false },
        callback,
      ),
    );
    expect(page.charges).toHaveLength(1);

    await setReadOnly('off');
    await waitFor('readiness', async () => (await readyz(http)).status === 200);
    expect(await readyz(http)).toEqual({ status: 200, postgresql: 'ok' });
    await create(client, 'during');
    await waitFor('the events', async () => (await countStream(nats.url)) === 2, { timeoutMs: 20_000 });
    expect(logged()).toEqual([
      'charges cannot be recorded: PostgreSQL: read-only',
      'PostgreSQL is writable again',
      expect.stringMatching(/^ready: /),
      'charges cannot be recorded: PostgreSQL: read-only',
      'PostgreSQL is writable again',
    ]);
  } finally {
    await service?.cleanUp();
    await database.drop();
  }
});

test('a standby only reads, and records charges once it is promoted', async () => {
  const options = { dataDir: freshDirectory(), logger: recordingLogger() };
  let postgres = await startEmbeddedPostgres(options);
  try {
    await migrate(postgres.url, { lockTimeoutMs: 30_000 });
    await postgres.stop();
    // With this file PostgreSQL recovers without end, and accepts reads meanwhile.
    await writeFile(join(options.dataDir, 'postgres', 'standby.signal'), '');
    postgres = await startEmbeddedPostgres(options);
    const http = `127.0.0.1:${await freePort()}`;
    service = new Service({ DATABASE_URL: postgres.url, NATS_URL: nats.url, METRICS_LISTEN: http });
    await waitFor('the first verdict', async () => {
      const answer = await readyz(http).catch(() => undefined);
      return answer !== undefined && answer.postgresql !== 'unknown';
    });
    expect(await readyz(http)).toEqual({
      status: 503,
      postgresql: expect.stringMatching(/^read-only: .* \(25006\)$/),
    });
    await query(postgres.url, 'SELECT pg_promote()');
    const client = await service.client();
    await create(client, 'after');
    expect(await readyz(http)).toEqual({ status: 200, postgresql: 'ok' });
  } finally {
    await service?.cleanUp();
    await postgres.stop();
  }
});

test('an import and single calls lose nothing and count nothing twice while PostgreSQL restarts', async () => {
  const ROWS = 2_500;
  const dataDir = freshDirectory();
  const logger = recordingLogger();
  let postgres = await startEmbeddedPostgres({ dataDir, logger });
  try {
    service = new Service({ DATABASE_URL: postgres.url, NATS_URL: nats.url, PROCESSES: '2' });
    const { grpc, http } = await service.ready();
    const client = await service.client();
    const file = join(dataDir, 'usage.ndjson');
    const rows = Array.from({ length: ROWS }, (_, i) => JSON.stringify(rowOf(i + 1)));
    await writeFile(file, rows.join('\n'));
    const stored = async () => {
      const [row] = await query(
        postgres.url,
        `SELECT count(*)::int AS charges, coalesce(sum(prompt_tokens), 0)::int AS prompt,
                (SELECT last_sequence::int FROM journal_head) AS last FROM charge`,
      );
      return row as { charges: number; prompt: number; last: number };
    };

    // Slow enough to be interrupted.
    const flags = ['--request-id-column', 'request_id', '--streams', '1', '--window', '20'];
    const args = ['src/cli/charge.js', 'import', file, '--json', '--address', grpc, ...flags];
    const importing = promisify(execFile)(process.execPath, args, { cwd: ROOT });
    let running = true;
    const recorded: string[] = [];
    const callers = Array.from({ length: 4 }, async (_, caller) => {
      for (let i = 0; running; i++) {
        await createUntilOk(client, `single-${caller}-${i}`);
        recorded.push(`single-${caller}-${i}`);
      }
    });
    await waitFor('the import to be in progress', async () => (await stored()).charges > 100);
    await query(
      postgres.url,
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()',
    );
    const before = recorded.length;
    await waitFor('charges after that', () => recorded.length > before);
    // PostgreSQL's fast shutdown, in the middle of whatever runs.
    const { port } = postgres;
    expect((await stored()).last).toBeLessThan(ROWS);
    await postgres.stop();
    await waitFor('unreadiness', async () => (await readyz(http)).status === 503);
    postgres = await startEmbeddedPostgres({ dataDir, logger, port });
    const { stdout } = await importing;
    running = false;
    await Promise.all(callers);

    const { created, replayed, rejected } = JSON.parse(stdout) as Record<string, number>;
    expect({ rows: (created ?? 0) + (replayed ?? 0), rejected }).toEqual({ rows: ROWS, rejected: 0 });
    const charges = ROWS + recorded.length;
    expect(await stored()).toEqual({
      charges,
      prompt: (ROWS * (ROWS + 1)) / 2 + recorded.length * 374,
      last: charges,
    });
    await waitFor('readiness', async () => (await readyz(http)).status === 200);
    expect(logged().slice(1)).toEqual([
      'charges cannot be recorded: PostgreSQL: no answer',
      'PostgreSQL is writable again',
    ]);
    await waitFor('every event', async () => (await countStream(nats.url)) === charges, {
      timeoutMs: 20_000,
      intervalMs: 200,
    });
  } finally {
    await service?.cleanUp();
    await postgres.stop();
  }
});

const rowOf = (tokens: number) => ({
  request_id: `row-${tokens}`,
  user_profile: 'alice',
  provider: 'openai',
  charge_type: 'completion',
  model: 'gpt-4o',
  prompt_tokens: tokens,
  completion_tokens: 1,
  usage_time: new Date(1_700_000_000_000 + tokens * 1_000).toISOString(),
});

/** As the error says: again with the same request id. */
async function createUntilOk(client: ChargeServiceClient, requestId: string): Promise<void> {
  for (let attempt = 1; attempt <= 20; attempt++) {
    try {
      await create(client, requestId);
      return;
    } catch (error) {
      expect(decodeError(error)).toMatchObject({ code: 'UNAVAILABLE', reason: 'DATABASE_UNAVAILABLE' });
    }
  }
  throw new Error('PostgreSQL did not come back');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
