/** What people see of a service whose stream somebody else has made. Each kind of stream: test/relay/stream-drift. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';

import { ChargeCreated } from '../../generated/charge/v1/event.ts';
import type {
  BatchCreateChargesResponse,
  ChargeServiceClient,
} from '../../generated/charge/v1/charge_service.ts';
import { healthClient } from '../grpc/support/health.ts';
import { createMigratedDatabase, type TestDatabase } from '../support/database.ts';
import { startTestNats, type TestNats } from '../support/nats.ts';
import { call, createRequest } from '../support/server.ts';
import { Service } from '../support/service.ts';
import { readStream } from '../support/stream.ts';
import { waitFor } from '../support/wait-for.ts';

const SUBJECTS = 'charge.>, user_profile.>';
const REASON = `NATS JetStream: the stream CHARGES does not take ${SUBJECTS} (its subjects are billing.>): add ${SUBJECTS}`;

let database: TestDatabase;
let nats: TestNats;
let service: Service;

beforeEach(async () => {
  [database, nats] = await Promise.all([createMigratedDatabase(), startTestNats()]);
});
afterEach(async () => {
  await service.cleanUp();
  await Promise.all([database.drop(), nats.stop()]);
});

const create = (client: ChargeServiceClient, ...requestIds: string[]) =>
  call<BatchCreateChargesResponse>((callback) =>
    client.batchCreateCharges({ requests: requestIds.map((id) => createRequest(id)) }, callback),
  );

test('health, /readyz, metrics and the log say that events wait and why, until the stream is repaired', async () => {
  const connection = await connect({ servers: nats.url });
  const streams = (await jetstreamManager(connection)).streams;
  await streams.add({ name: 'CHARGES', subjects: ['billing.>'] });
  service = new Service({ DATABASE_URL: database.url, NATS_URL: nats.url });
  const { grpc, http } = await service.ready();
  const client = await service.client();
  const health = healthClient(grpc);
  const get = async (path: string) => (await fetch(`http://${http}${path}`)).text();
  const checks = async () => (JSON.parse(await get('/readyz')) as { checks: Record<string, unknown> }).checks;
  try {
    await create(client, '1', '2', '3');
    await waitFor('the checks', async () => (await checks())['events_waiting'] === 3);
    expect(await checks()).toMatchObject({ nats: 'ok', relay: REASON, dead_letters: 0 });
    expect((await fetch(`http://${http}/readyz`)).status).toBe(200);
    expect(await health.check('charge.v1.events')).toBe('NOT_SERVING');
    expect(await health.check('charge.v1.ChargeService')).toBe('SERVING');
    const metrics = await get('/metrics');
    expect(metrics).toMatch(/^charge_relay_backlog_events 3$/m);
    expect(metrics).toMatch(/^charge_relay_publishing 0$/m);
    const warnings = service.lines.filter(({ level, msg }) => level >= 40 && !msg.startsWith('open:'));
    expect(warnings).toMatchObject([
      { reason: REASON, msg: 'events do not reach the stream; PostgreSQL keeps them until they do' },
    ]);

    await streams.update('CHARGES', { subjects: ['billing.>', 'charge.>'] });
    await waitFor('the events', async () => (await checks())['events_waiting'] === 0);
    const sequences = (await readStream(nats.url)).map(
      ({ payload }) => ChargeCreated.decode(payload).sequence,
    );
    expect(sequences).toEqual([1n, 2n, 3n]);
    expect(await checks()).toMatchObject({ nats: 'ok', relay: 'leading' });
    await waitFor('health', async () => (await health.check('charge.v1.events')) === 'SERVING');
    expect(await get('/metrics')).toMatch(/^charge_relay_publishing 1$/m);

    await streams.update('CHARGES', { subjects: ['billing.>'] });
    await create(client, '4', '5');
    await waitFor('the reason again', async () => (await checks())['relay'] === REASON);
    const stoppedAt = performance.now();
    expect(await service.end()).toBe(0);
    expect(performance.now() - stoppedAt).toBeLessThan(20_000);
    expect(service.lines.filter(({ level }) => level >= 40).at(-1)).toMatchObject({
      eventsWaiting: 2,
      msg: 'events are not published yet; the next start, or another replica, does it',
    });
  } finally {
    health.close();
    await connection.close();
  }
});
