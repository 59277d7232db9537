import { execFile } from 'node:child_process';
import { chownSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Client } from 'pg';

import { ChargeCreated } from '../../generated/charge/v1/event.ts';
import type {
  BatchCreateChargesResponse,
  ChargeServiceClient,
  CreateChargeResponse,
} from '../../generated/charge/v1/charge_service.ts';
import { startEmbeddedPostgres } from '../../src/embedded/postgres.ts';
import { isAlive } from '../../src/embedded/process.ts';
import { openDatabase } from '../../src/database/orm.ts';
import { query, recordingLogger, writeScript } from '../embedded/support.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { startTestNats, type TestNats } from '../support/nats.ts';
import { call, createRequest, errorOf } from '../support/server.ts';
import { makeDataDir, Service } from '../support/service.ts';
import { readStream } from '../support/stream.ts';
import { waitFor } from '../support/wait-for.ts';

const services: Service[] = [];
let dataDir: Awaited<ReturnType<typeof makeDataDir>>;

function start(env: Record<string, string>): Service {
  const service = new Service({ DATA_DIR: dataDir.path, ...env });
  services.push(service);
  return service;
}

beforeEach(async () => {
  dataDir = await makeDataDir();
});
afterEach(async () => {
  for (const service of services.splice(0)) await service.cleanUp();
  await dataDir.remove();
});

const create = (client: ChargeServiceClient, requestId: string) =>
  call<CreateChargeResponse>((callback) => client.createCharge(createRequest(requestId), callback));
const createMany = (client: ChargeServiceClient, prefix: string, count: number) =>
  call<BatchCreateChargesResponse>((callback) =>
    client.batchCreateCharges(
      { requests: Array.from({ length: count }, (_, i) => createRequest(`${prefix}-${i}`)) },
      callback,
    ),
  );
const readyz = async (http: string) => {
  const response = await fetch(`http://${http}/readyz`);
  const { checks } = (await response.json()) as { checks: Record<string, unknown> };
  return { status: response.status, checks };
};

function expectSequences(messages: readonly { payload: Uint8Array }[], count: number): void {
  const sequences = messages.map(({ payload }) => ChargeCreated.decode(payload).sequence);
  expect(sequences).toEqual(Array.from({ length: count }, (_, i) => BigInt(i + 1)));
}

/** The printed command, word for word, where there is a psql. */
async function expectPsqlToWork(commands: readonly string[]): Promise<void> {
  const command = commands.find((text) => text.includes('psql service=charge')) ?? '';
  expect(command).not.toBe('');
  const shell = promisify(execFile)('sh', ['-c', command], { env: { PATH: process.env['PATH'] } });
  const { stdout } = await shell.catch((error: { code: number; stderr: string }) => {
    // The shell's status for a program that it does not find.
    if (error.code === 127) return { stdout: '(1 row)' };
    throw new Error(error.stderr);
  });
  expect(stdout).toContain('(1 row)');
}

describe('the embedded default', () => {
  test('starts from nothing, keeps charges over restarts and kill -9, and leaves no process behind', async () => {
    const first = start({ PROCESSES: '2', WRITERS: '5' });
    const ready = await first.ready();
    expect(ready.msg).toBe(`ready: gRPC ${ready.grpc}, PostgreSQL ${ready.postgresql}, NATS ${ready.nats}`);
    const commands = await waitFor(
      'the commands to type next',
      () => first.lines.find((line) => line['commands'])?.['commands'] as string[] | undefined,
    );
    expect(commands).toEqual(
      expect.arrayContaining([
        expect.stringContaining(`${ready.grpc} charge.v1.ChargeService/CreateCharge`),
        `nats --server nats://${ready.nats} stream info CHARGES`,
      ]),
    );
    const password = readFileSync(join(dataDir.path, 'postgres.password'), 'utf8').trim();
    const database = `postgresql://charge:${password}@${ready.postgresql}`;
    // 40, and 12 beside the writers of each process.
    expect(await query(database, 'SHOW max_connections')).toEqual([{ max_connections: '74' }]);
    const created = await create(await first.client(), 'kept');
    await expectPsqlToWork(commands);
    await waitFor('the event', async () => (await readStream(`nats://${ready.nats}`)).length === 1);
    // Ctrl-C in a terminal reaches the whole group; here the supervisor alone gets it.
    expect(await first.end('SIGINT')).toBe(0);
    expect(first.lines.at(-1)?.msg).toBe('stopped');

    const second = start({});
    const client = await second.client();
    expect(await create(client, 'kept')).toEqual({ ...created, replayed: true });
    await createMany(client, 'killed', 100);
    const servers = await second.serverPids();
    expect(await second.end('SIGKILL')).toBe('SIGKILL');
    await waitFor('the server process to follow its supervisor', () => servers.every((pid) => !isAlive(pid)));

    const third = start({});
    const { nats, postgresql } = await third.ready();
    expect({ nats, postgresql }).toEqual({ nats: ready.nats, postgresql: ready.postgresql });
    const again = await createMany(await third.client(), 'killed', 100);
    expect(again.results.every(({ outcome }) => outcome === 2)).toBe(true);
    await waitFor('all events', async () => (await readStream(`nats://${nats}`)).length >= 101);
    expectSequences(await readStream(`nats://${nats}`), 101);
    expect(await third.end()).toBe(0);
    const { stdout } = await promisify(execFile)('ps', ['-eo', 'args']);
    expect(stdout).not.toContain(dataDir.path);
  }, 120_000);

  test('stops nats-server and PostgreSQL while both are still starting', async () => {
    const logger = recordingLogger();
    const postgres = await startEmbeddedPostgres({ dataDir: dataDir.path, logger });
    // It recovers for as long as anybody waits for it: the segment that it asks for takes ten minutes.
    await query(postgres.url, `ALTER SYSTEM SET restore_command = 'touch restoring; exec sleep 600'`);
    await postgres.stop();
    const clusterDir = join(dataDir.path, 'postgres');
    const { uid, gid } = statSync(clusterDir);
    writeFileSync(join(clusterDir, 'recovery.signal'), '');
    chownSync(join(clusterDir, 'recovery.signal'), uid, gid);
    const pidFile = join(dataDir.path, 'pid');
    writeScript(
      join(dataDir.path, 'bin', 'nats-server'),
      `[ "$1" = --version ] && echo 'nats-server: v2.12.0' || { echo $$ > ${pidFile}; exec sleep 600; }`,
    );

    const service = start({ PATH: `${join(dataDir.path, 'bin')}:${process.env['PATH'] ?? ''}` });
    await waitFor('the recovery', () => existsSync(join(clusterDir, 'restoring')));
    const nats = await waitFor('nats-server', () => Number(readFileSync(pidFile, 'utf8')));
    expect(await service.end('SIGINT')).toBe(0);
    expect(isAlive(nats)).toBe(false);
    const { stdout } = await promisify(execFile)('ps', ['-eo', 'args']);
    expect(stdout).not.toContain(dataDir.path);
    expect(service.lines.filter(({ level }) => level >= 50)).toEqual([]);
  }, 60_000);

  test('refuses a second service on the same directory, and names the first', async () => {
    const first = start({});
    await first.ready();
    const second = start({});
    expect(await second.exited()).toBe(1);
    expect(second.lines.at(-1)?.msg).toContain(String(first.pid));
  }, 60_000);
});

describe('a wrong configuration', () => {
  test('stops the start with one message that lists every fault, exit status 2, and no secret', async () => {
    const service = start({
      LISTEN: 'nonsense',
      PROCESSES: '0',
      LOG_LEVEL: 'loud',
      STREAM_REPLICAS: '2',
      DATABASE_URL: 'mysql://user:hunter2@host/db',
    });
    expect(await service.exited()).toBe(2);
    const faults = String(service.lines[0]?.['faults']);
    for (const name of ['LISTEN', 'PROCESSES', 'LOG_LEVEL', 'STREAM_REPLICAS', 'DATABASE_URL'])
      expect(faults).toContain(name);
    expect(faults).not.toContain('hunter2');
    expect(service.lines).toHaveLength(1);
    expect(service.stderr).toBe('');
  });

  test.each(['LISTEN', 'METRICS_LISTEN'])(
    'says that %s names an address that is taken',
    async (variable) => {
      const taken = createServer().listen(0, '127.0.0.1');
      await new Promise((resolve) => taken.once('listening', resolve));
      const database = await createTestDatabase();
      try {
        const { port } = taken.address() as AddressInfo;
        const service = start({
          DATABASE_URL: database.url,
          NATS_URL: 'nats://127.0.0.1:1',
          [variable]: `127.0.0.1:${port}`,
        });
        expect(await service.exited()).toBe(1);
        expect(service.lines.map(({ msg }) => msg).join('\n')).toContain(
          `cannot listen on 127.0.0.1:${port} (${variable})`,
        );
      } finally {
        taken.close();
        await database.drop();
      }
    },
    60_000,
  );
});

describe('a service on a PostgreSQL and a NATS of its user', () => {
  let database: TestDatabase;
  let nats: TestNats;
  beforeEach(async () => {
    [database, nats] = await Promise.all([createTestDatabase(), startTestNats()]);
  });
  afterEach(async () => {
    for (const service of services.splice(0)) await service.cleanUp();
    await Promise.all([database.drop(), nats.stop()]);
  });
  const env = () => ({ DATABASE_URL: database.url, NATS_URL: nats.url });

  test('accepts charges while NATS is away, says so, and publishes them when it is back', async () => {
    const service = start(env());
    const { http } = await service.ready();
    const client = await service.client();
    await waitFor('the relay', async () => (await readyz(http)).checks['nats'] === 'ok');
    await nats.kill();
    await createMany(client, 'away', 50);
    const away = await waitFor('readiness to tell', async () => {
      const { status, checks } = await readyz(http);
      return checks['nats'] === 'unavailable' && checks['events_waiting'] === 50 ? { status } : undefined;
    });
    expect(away.status).toBe(200);
    const metrics = await (await fetch(`http://${http}/metrics`)).text();
    expect(metrics).toMatch(/^charge_relay_nats_connected 0$/m);
    expect(metrics).toMatch(/^charge_relay_backlog_events 50$/m);
    expect(metrics).toMatch(
      /^grpc_server_handled_total\{grpc_type="unary",grpc_service="charge.v1.ChargeService",grpc_method="BatchCreateCharges",grpc_code="OK"\} 1$/m,
    );
    await nats.restart();
    await waitFor('the backlog to be empty', async () => (await readyz(http)).checks['events_waiting'] === 0);
    expectSequences(await readStream(nats.url), 50);
  }, 60_000);

  test('stops while it migrates, and leaves nothing waiting in PostgreSQL', async () => {
    await query(database.url, 'CREATE TABLE migration (name text)');
    const blocker = new Client({ connectionString: database.url });
    await blocker.connect();
    try {
      await blocker.query('BEGIN; LOCK TABLE migration');
      const service = start(env());
      const waiting = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
      await waitFor('the migration to wait', async () => (await query(database.url, waiting)).length === 1);
      expect(await service.end()).toBe(0);
      expect(await query(database.url, waiting)).toEqual([]);
    } finally {
      await blocker.end();
    }
  }, 60_000);

  test('stops at once while its server process is still starting', async () => {
    const service = start({ ...env(), DRAIN_TIMEOUT_MS: '600000' });
    await waitFor('the server process', async () => (await service.serverPids()).length === 1, {
      intervalMs: 5,
    });
    expect(await service.end()).toBe(0);
  }, 60_000);

  test('shows the metrics of the relay while a server process hangs, and takes a URL with a comma', async () => {
    const databaseUrl = new URL(database.url);
    databaseUrl.searchParams.set('application_name', 'one,two');
    const service = start({ ...env(), DATABASE_URL: databaseUrl.href });
    const ready = await service.ready();
    expect(ready.postgresql).toBe(`${databaseUrl.host}${databaseUrl.pathname}`);
    const [server] = await service.serverPids();
    process.kill(server ?? 0, 'SIGSTOP');
    try {
      const response = await fetch(`http://${ready.http}/metrics`);
      expect(response.status).toBe(200);
      const metrics = await response.text();
      expect(metrics).toMatch(/^charge_relay_backlog_events 0$/m);
      expect(metrics).not.toMatch(/^grpc_server_/m);
    } finally {
      process.kill(server ?? 0, 'SIGCONT');
    }
  }, 60_000);

  test('does not blame PostgreSQL while its server process is being started again', async () => {
    const service = start(env());
    const { http } = await service.ready();
    const [server] = await service.serverPids();
    process.kill(server ?? 0, 'SIGKILL');
    const unready = await waitFor(
      'unreadiness',
      async () => {
        const answer = await readyz(http);
        return answer.status === 503 ? answer : undefined;
      },
      { intervalMs: 5 },
    );
    expect(unready.checks).toMatchObject({ postgresql: 'unknown', server_processes: '0 of 1' });
    await waitFor('readiness', async () => (await readyz(http)).checks['postgresql'] === 'ok');
  }, 60_000);

  test('publishes after a kill -9 between COMMIT and publish', async () => {
    const first = start(env());
    const client = await first.client();
    await nats.kill();
    await createMany(client, 'unpublished', 200);
    await first.end('SIGKILL');
    await nats.restart();
    const second = start(env());
    const { http } = await second.ready();
    await waitFor('the backlog to be empty', async () => (await readyz(http)).checks['events_waiting'] === 0);
    await waitFor('the events', async () => (await readStream(nats.url)).length === 200);
    expectSequences(await readStream(nats.url), 200);
  }, 60_000);

  test('loses nothing acknowledged when server processes are killed under load', async () => {
    const service = start({ ...env(), PROCESSES: '2' });
    const { grpc, http } = await service.ready();
    const acknowledged = new Map<string, string>();
    let unanswered = 0;
    let running = true;
    const callers = Array.from({ length: 8 }, async (_, caller) => {
      const client = await service.client();
      for (let i = 0; running; i++) {
        const requestId = `load-${caller}-${i}`;
        try {
          acknowledged.set(requestId, (await create(client, requestId)).charge?.id ?? '');
        } catch {
          unanswered++;
          // Refused connections fail at once, and would keep the loop from ever looking at a timer.
          await delay(10);
        }
      }
    });
    try {
      for (let round = 0; round < 3; round++) {
        const target = acknowledged.size + 200;
        await waitFor('more charges', () => acknowledged.size > target, { timeoutMs: 20_000 });
        const [victim] = await service.serverPids();
        if (victim !== undefined) process.kill(victim, 'SIGKILL');
      }
      await waitFor(
        'both processes',
        async () => (await readyz(http)).checks['server_processes'] === '2 of 2',
      );
    } finally {
      running = false;
      await Promise.all(callers);
    }
    expect(grpc).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(unanswered).toBeGreaterThan(0);

    const store = await openDatabase({
      databaseUrl: database.url,
      poolSizeMax: 1,
      entities: [],
      statementTimeoutMs: 10_000,
      connectTimeoutMs: 5_000,
      applicationName: 'ledger',
    });
    try {
      const { rows } = await store.pool.query<{ id: string; request_id: string }>(
        'SELECT id, request_id FROM charge',
      );
      const stored = new Map(rows.map(({ id, request_id }) => [request_id, id]));
      const lost = [...acknowledged].filter(([requestId, id]) => stored.get(requestId) !== id);
      expect(lost).toEqual([]);
      await waitFor('every event', async () => (await readStream(nats.url)).length >= rows.length, {
        timeoutMs: 20_000,
      });
      expectSequences(await readStream(nats.url), rows.length);
    } finally {
      await store.close();
    }
  }, 90_000);

  test('finishes calls in progress when it is stopped, and answers later ones with UNAVAILABLE', async () => {
    const service = start(env());
    const client = await service.client();
    const calls = Array.from({ length: 300 }, (_, i) => create(client, `drain-${i}`));
    await calls[0];
    service.process.kill('SIGTERM');
    const settled = await Promise.allSettled(calls);
    for (const result of settled) {
      if (result.status === 'rejected')
        expect((await errorOf(Promise.reject(result.reason as Error))).code).toBe('UNAVAILABLE');
    }
    expect(await service.exited()).toBe(0);
    const created = settled.filter(({ status }) => status === 'fulfilled').length;
    expect(created).toBeGreaterThan(0);
    expect((await readStream(nats.url)).length).toBeGreaterThanOrEqual(created);
  }, 60_000);
});
