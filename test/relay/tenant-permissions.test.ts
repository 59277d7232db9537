/** docs/events.md: what its configuration of nats-server allows and refuses. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { AckPolicy, type Consumer, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';

import { ChargeCreated } from '../../generated/charge/v1/event.ts';
import { createStreamComparison, type StreamFinding } from '../../src/relay/compare-stream.ts';
import { createRelay } from '../../src/relay/open-relay.ts';
import type { Relay } from '../../src/relay/relay.ts';
import { readUnpublished } from '../../src/relay/store/relay-state.ts';
import { silentRelayEvents } from '../clients/support/relay-events.ts';
import { type ConfiguredNats, startNatsWith } from '../support/nats-with-config.ts';
import { chargeRequest, openTestStore, type TestStore } from '../support/store.ts';
import { ROOT } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';

const page = readFileSync(join(ROOT, 'docs/events.md'), 'utf8');
const [, configuration = ''] = /```nats\n([^]*?)```/.exec(page) ?? [];
const CONFIG = { eventFormat: 'protobuf', eventMaxAgeMs: 3_600_000, streamReplicas: 1 } as const;
const TENANTS = ['default', 'acme', 'globex'];

let store: TestStore;
let nats: ConfiguredNats;
let relay: Relay;
let operator: NatsConnection;
let acme: NatsConnection;
const serviceUrl = () => nats.url.replace('//', '//charge-service:service-password@');

beforeEach(async () => {
  [store, nats] = await Promise.all([openTestStore(), startNatsWith(configuration)]);
  operator = await connect({ servers: nats.url, user: 'operator', pass: 'operator-password' });
  acme = await connect({
    servers: nats.url,
    user: 'acme',
    pass: 'acme-password',
    inboxPrefix: '_INBOX_acme',
  });
  relay = createRelay(CONFIG, store.everyTenant.em, serviceUrl(), silentRelayEvents);
  relay.start();
  for (const tenant of TENANTS) {
    await store.owner.pool.query('INSERT INTO journal_head VALUES ($1, 0) ON CONFLICT DO NOTHING', [tenant]);
    await record(tenant, 'first');
  }
  await drained();
  const manager = await jetstreamManager(operator);
  const filters = /filter_subjects: (\[.*\])/.exec(page)?.[1]?.replaceAll("'", '"') ?? '';
  for (const tenant of ['acme', 'globex']) {
    await manager.consumers.add('CHARGES', {
      durable_name: tenant,
      filter_subjects: JSON.parse(filters.replaceAll('acme', tenant)) as string[],
      ack_policy: AckPolicy.Explicit,
    });
  }
});
afterEach(async () => {
  await relay.stop();
  await Promise.all([operator.close(), acme.close()]);
  await Promise.all([store.close(), nats.stop()]);
});

async function record(tenant: string, id: string): Promise<void> {
  await store.writer.record(tenant, [chargeRequest(id)]);
  relay.notify();
}

async function drained(): Promise<void> {
  await waitFor('the backlog', async () => (await readUnpublished(store.everyTenant.em)).waiting === 0);
}

/** The tenants and numbers of the next events of a consumer, which are acknowledged. */
async function read(consumer: Consumer, count: number): Promise<string[]> {
  const events: string[] = [];
  for await (const message of await consumer.fetch({ max_messages: count, expires: 5_000 })) {
    const { tenant, sequence } = ChargeCreated.decode(message.data);
    events.push(`${tenant} ${sequence}`);
    expect(await message.ackAck()).toBe(true);
  }
  return events;
}

test('the user of a tenant reads and follows its own events', async () => {
  const followed: string[] = [];
  acme.subscribe('charge.acme.>', { callback: (_, { subject }) => void followed.push(subject) });
  await acme.flush();
  const consumer = await jetstream(acme).consumers.get('CHARGES', 'acme');
  expect(await read(consumer, 1)).toEqual(['acme 1']);
  for (const tenant of TENANTS) await record(tenant, 'second');
  await drained();
  expect(await read(consumer, 1)).toEqual(['acme 2']);
  expect((await consumer.info()).num_pending).toBe(0);
  await waitFor('the event', () => followed.length > 0);
  expect(followed).toEqual(['charge.acme.created']);
});

const REFUSED = /permissions violation/i;

test.each<[string, string]>([
  ['what another consumer would get next', '$JS.API.CONSUMER.MSG.NEXT.CHARGES.globex'],
  ['a consumer of its own', '$JS.API.CONSUMER.CREATE.CHARGES.mine'],
  ['a consumer of its own subjects', '$JS.API.CONSUMER.CREATE.CHARGES.mine.charge.acme.>'],
  ['a consumer of another tenant', '$JS.API.CONSUMER.CREATE.CHARGES.mine.charge.globex.>'],
  ['a durable consumer', '$JS.API.CONSUMER.DURABLE.CREATE.CHARGES.acme'],
  ['another filter of its consumer', '$JS.API.CONSUMER.CREATE.CHARGES.acme'],
  ['a message by its number', '$JS.API.STREAM.MSG.GET.CHARGES'],
  ['a message by its number, directly', '$JS.API.DIRECT.GET.CHARGES'],
  ['what the stream has', '$JS.API.STREAM.INFO.CHARGES'],
  ['the names of consumers', '$JS.API.CONSUMER.NAMES.CHARGES'],
  ['another stream', '$JS.API.STREAM.CREATE.MINE'],
  ['the end of its consumer', '$JS.API.CONSUMER.DELETE.CHARGES.acme'],
  ['an acknowledgement for another tenant', '$JS.ACK.CHARGES.globex.1.1.1.1.0'],
  ['an event of its own', 'charge.acme.created'],
  ['an event of another tenant', 'charge.globex.created'],
  ['an event of the operator', 'charge.created'],
])('the user of a tenant cannot ask for or publish %s', async (_, subject) => {
  const before = (await (await jetstreamManager(operator)).streams.info('CHARGES')).state.last_seq;
  await expect(acme.request(subject, '{}', { timeout: 5_000 })).rejects.toThrow(REFUSED);
  expect((await (await jetstreamManager(operator)).streams.info('CHARGES')).state.last_seq).toBe(before);
});

test.each([
  'charge.>',
  'charge.*',
  'charge.created',
  'charge.globex.>',
  'charge.*.created',
  '>',
  '_INBOX.>',
  '_INBOX_globex.>',
  '$JS.ACK.>',
])('the user of a tenant cannot subscribe to %s', async (subject) => {
  const refused = Promise.withResolvers<Error>();
  acme.subscribe(subject, { callback: (error) => void (error && refused.resolve(error)) });
  expect((await refused.promise).message).toMatch(REFUSED);
});

test('the permissions of the service are enough to make the stream, to publish and to reconcile', async () => {
  const manager = await jetstreamManager(operator);
  for await (const { name } of manager.consumers.list('CHARGES'))
    await manager.consumers.delete('CHARGES', name);
  await manager.streams.deleteMessage('CHARGES', 2, false);
  const findings: StreamFinding[] = [];
  const compare = createStreamComparison(CONFIG, serviceUrl);
  for (const tenant of TENANTS) {
    await compare(store.everyTenant.em.fork(), {
      tenant,
      repair: false,
      repairing: () => Promise.resolve(),
      signal: new AbortController().signal,
      progress: () => undefined,
      found: (finding) => void findings.push(finding),
      compared: () => undefined,
    });
  }
  expect(findings).toEqual([{ kind: 'missing', first: 1n, last: 1n, repaired: false, detail: '' }]);
  await manager.streams.delete('CHARGES');
  await record('acme', 'second');
  await drained();
  await manager.streams.update('CHARGES', { subjects: ['charge.>'] });
  await waitFor('its subjects', async () => {
    const { config } = await manager.streams.info('CHARGES');
    return config.subjects.includes('user_profile.>');
  });
});
