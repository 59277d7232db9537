/** The service on a PostgreSQL and a NATS that are not its own, and what it does while one of them is away. */

import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Client } from 'pg';

import type { ChargeServiceClient } from '../../generated/charge/v1/charge_service.ts';
import { query } from '../embedded/support.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { startTestNats, type TestNats } from '../support/nats.ts';
import { errorOf } from '../support/server.ts';
import { expectSequences, readStream } from '../support/stream.ts';
import { waitFor } from '../support/wait-for.ts';
import { create, createMany, endTermOfKilledRelay, readyz, Services } from './support.ts';

let services: Services;
beforeEach(async () => {
  services = await Services.open();
});
afterEach(() => services.close());

/** Resolves when a call of this client has a server to go to, at the latest after 10 s. */
const connected = (client: ChargeServiceClient): Promise<void> =>
  new Promise((resolve) => client.waitForReady(Date.now() + 10_000, () => resolve()));

describe('a service on a PostgreSQL and a NATS of its user', () => {
  let database: TestDatabase;
  let nats: TestNats;
  beforeEach(async () => {
    [database, nats] = await Promise.all([createTestDatabase(), startTestNats()]);
  });
  afterEach(async () => {
    await services.close();
    await Promise.all([database.drop(), nats.stop()]);
  });
  const env = () => ({ DATABASE_URL: database.url, NATS_URL: nats.url });

  test('accepts charges while NATS is away, says so, and publishes them when it is back', async () => {
    const service = services.start(env());
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
  });

  test('starts another server process while a file for NATS is missing', async () => {
    const token = join(services.dataDir, 'token');
    await writeFile(token, 'any');
    const service = services.start({ ...env(), NATS_TOKEN_FILE: token, PROCESSES: '1' });
    const { http } = await service.ready();
    await rm(token);
    const [pid = 0] = await service.serverPids();
    process.kill(pid, 'SIGKILL');
    await waitFor('its death to be noticed', () =>
      service.lines.some(({ msg }) => msg?.includes('a server process died')),
    );
    await waitFor('readiness', async () => (await readyz(http)).status === 200);
    await create(await service.client(), 'found');
  });

  test('stops while it migrates, and leaves nothing waiting in PostgreSQL', async () => {
    await query(database.url, 'CREATE TABLE migration (name text)');
    const blocker = new Client({ connectionString: database.url });
    await blocker.connect();
    try {
      await blocker.query('BEGIN; LOCK TABLE migration');
      const service = services.start(env());
      const waiting = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
      await waitFor('the migration to wait', async () => (await query(database.url, waiting)).length === 1);
      expect(await service.end()).toBe(0);
      expect(await query(database.url, waiting)).toEqual([]);
    } finally {
      await blocker.end();
    }
  });

  test('stops at once while its server process is still starting', async () => {
    const service = services.start({ ...env(), DRAIN_TIMEOUT_MS: '600000' });
    await waitFor('the server process', async () => (await service.serverPids()).length === 1, {
      intervalMs: 5,
    });
    expect(await service.end()).toBe(0);
  });

  test('shows the metrics of the relay while a server process hangs, and takes a URL with a comma', async () => {
    const databaseUrl = new URL(database.url);
    databaseUrl.searchParams.set('application_name', 'one,two');
    const service = services.start({ ...env(), DATABASE_URL: databaseUrl.href });
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
  });

  test('does not blame PostgreSQL while its server process is being started again', async () => {
    const service = services.start(env());
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
  });

  test('publishes after a kill -9 between COMMIT and publish', async () => {
    const first = services.start(env());
    const client = await first.client();
    await nats.kill();
    await createMany(client, 'unpublished', 200);
    await first.end('SIGKILL');
    await nats.restart();
    const second = services.start(env());
    const { http } = await second.ready();
    await endTermOfKilledRelay(database.url);
    await waitFor('the backlog to be empty', async () => (await readyz(http)).checks['events_waiting'] === 0);
    await waitFor('the events', async () => (await readStream(nats.url)).length === 200);
    expectSequences(await readStream(nats.url), 200);
  });

  test('loses nothing acknowledged when server processes are killed under load', async () => {
    const service = services.start({ ...env(), PROCESSES: '2' });
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
          await connected(client);
        }
      }
    });
    try {
      for (let round = 0; round < 3; round++) {
        const target = acknowledged.size + 200;
        await waitFor('more charges', () => acknowledged.size > target);
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

    const rows = await query(database.url, 'SELECT id, request_id FROM charge');
    const stored = new Map(rows.map((row) => [row['request_id'], row['id']]));
    const lost = [...acknowledged].filter(([requestId, id]) => stored.get(requestId) !== id);
    expect(lost).toEqual([]);
    await waitFor('every event', async () => (await readStream(nats.url)).length >= rows.length, {
      timeoutMs: 20_000,
    });
    expectSequences(await readStream(nats.url), rows.length);
  });

  test('finishes calls in progress when it is stopped, and answers later ones with UNAVAILABLE', async () => {
    const service = services.start(env());
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
  });
});
