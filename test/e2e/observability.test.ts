/** What the log and the metrics of a started service say, and that docs/operations.md lists every metric. */

import { readFileSync } from 'node:fs';

import { Metadata } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from '@jest/globals';

import type { BatchCreateChargesResponse } from '../../generated/charge/v1/charge_service.ts';
import { createMigratedDatabase, type TestDatabase } from '../support/database.ts';
import { startTestNats, type TestNats } from '../support/nats.ts';
import { call, createRequest } from '../support/server.ts';
import { makeDataDir, Service } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';

let database: TestDatabase;
let nats: TestNats;
let service: Service | undefined;
let dataDir: Awaited<ReturnType<typeof makeDataDir>>;

beforeEach(async () => {
  [database, nats, dataDir] = await Promise.all([createMigratedDatabase(), startTestNats(), makeDataDir()]);
});
afterEach(async () => {
  await service?.cleanUp();
  await Promise.all([database.drop(), nats.stop(), dataDir.remove()]);
});

async function scrape(http: string): Promise<string> {
  return (await fetch(`http://${http}/metrics`)).text();
}

/** The value of one series, by its text in front of the value. */
function valueOf(metrics: string, series: string): number {
  const line = metrics.split('\n').find((text) => text.startsWith(`${series} `));
  return line === undefined ? NaN : Number(line.slice(series.length + 1));
}

/** Names and types as the metrics, or the table of the documentation, have them; without those of Node. */
function declaredIn(metrics: string): string[] {
  return [...metrics.matchAll(/^# TYPE (\S+) (\S+)$/gm)]
    .map(([, name = '', type = '']) => `${name} ${type}`)
    .filter((text) => !/^(supervisor_)?(process|nodejs)_/.test(text))
    .sort();
}

const DOCUMENTED = [
  ...readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8').matchAll(
    /^\| `(\w+)` +\| (counter|gauge|histogram) +\| ([\w, ]*)\|/gm,
  ),
].map(([, name = '', type = '', labels = '']) => ({ name, type, labels: labels.trim().split(', ') }));

test('a started service counts charges, calls and tokens, and logs what it refuses, all as JSON', async () => {
  service = new Service({
    DATA_DIR: dataDir.path,
    DATABASE_URL: database.url,
    NATS_URL: nats.url,
    PROCESSES: '2',
    LOG_LEVEL: 'debug',
    CHARGE_COMMIT: 'abc123',
  });
  const { http } = await service.ready();
  const client = await service.client();
  await waitFor('the relay', async () => /^charge_relay_leading 1$/m.test(await scrape(http)));
  await nats.kill();
  const requests = [
    createRequest('a', { totalTokens: 500n }),
    createRequest('a', { totalTokens: 500n }),
    createRequest('a', { promptTokens: 1n }),
    createRequest('', {}),
  ];
  const { results } = await call<BatchCreateChargesResponse>((callback) =>
    client.batchCreateCharges({ requests }, callback),
  );
  expect(results.map(({ outcome }) => outcome)).toEqual([1, 2, 3, 3]);
  const metadata = new Metadata();
  metadata.set('x-request-id', 'caller-7');
  await expect(
    call((callback) => client.createCharge(createRequest('b', { model: '' }), metadata, callback)),
  ).rejects.toThrow();

  const age = 'charge_relay_oldest_event_age_seconds';
  const metrics = await waitFor('the age of the event', async () => {
    const text = await scrape(http);
    return valueOf(text, age) > 0 && valueOf(text, 'charge_relay_backlog_events') === 1 ? text : undefined;
  });
  const unary = 'grpc_type="unary",grpc_service="charge.v1.ChargeService"';
  const expected = {
    'charge_charges_total{outcome="created"}': 1,
    'charge_charges_total{outcome="replayed"}': 1,
    'charge_charges_total{outcome="rejected",reason="REQUEST_ID_REUSED"}': 1,
    'charge_charges_total{outcome="rejected",reason="VALIDATION_FAILED"}': 2,
    'charge_tokens_total{provider="openai",model="gpt-4o",token_type="prompt"}': 374,
    'charge_tokens_total{provider="openai",model="gpt-4o",token_type="completion"}': 44,
    'charge_tokens_total{provider="openai",model="gpt-4o",token_type="other"}': 82,
    [`grpc_server_started_total{${unary},grpc_method="CreateCharge"}`]: 1,
    [`grpc_server_handled_total{${unary},grpc_method="CreateCharge",grpc_code="InvalidArgument"}`]: 1,
    [`grpc_server_handled_total{${unary},grpc_method="BatchCreateCharges",grpc_code="OK"}`]: 1,
    [`grpc_server_msg_received_total{${unary},grpc_method="BatchCreateCharges"}`]: 1,
    [`grpc_server_msg_sent_total{${unary},grpc_method="BatchCreateCharges"}`]: 1,
    [`grpc_server_handling_seconds_count{${unary},grpc_method="CreateCharge"}`]: 1,
    [`grpc_server_handling_seconds_bucket{${unary},grpc_method="CreateCharge",le="+Inf"}`]: 1,
    [`grpc_server_handling_seconds_count{${unary},grpc_method="GetCharge"}`]: 0,
    'charge_refused_total{reason="VALIDATION_FAILED"}': 1,
    // Of two processes with three writers each, and one for a tenant of whom nothing is being written.
    'charge_database_connections_max{pool="writes"}': 8,
    'charge_database_waiting{pool="writes"}': 0,
    charge_ready: 1,
    [`charge_build_info{version="0.1.0",node_version="${process.version}",commit="abc123"}`]: 1,
  };
  const found = Object.keys(expected).map((series) => [series, valueOf(metrics, series)]);
  expect(Object.fromEntries(found)).toEqual(expected);

  expect(declaredIn(metrics)).toEqual(DOCUMENTED.map(({ name, type }) => `${name} ${type}`).sort());
  for (const { name, labels } of DOCUMENTED) {
    for (const [, used = ''] of metrics.matchAll(new RegExp(`^${name}\\{(.*)\\} `, 'gm')))
      expect(labels).toEqual(
        expect.arrayContaining([...used.matchAll(/(\w+)="/g)].map(([, label]) => label)),
      );
  }

  expect(service.lines).toContainEqual(
    expect.objectContaining({
      level: 20,
      method: 'charge.v1.ChargeService/CreateCharge',
      code: 'INVALID_ARGUMENT',
      reason: 'VALIDATION_FAILED',
      tenant: 'default',
      xRequestId: 'caller-7',
      durationMs: expect.any(Number),
    }),
  );
  await nats.restart();
  await waitFor('the event to be published', async () => valueOf(await scrape(http), age) === 0);
  expect(await service.end()).toBe(0);
  // Every line of standard output was parsed as JSON already.
  expect(service.stderr).toBe('');
});
