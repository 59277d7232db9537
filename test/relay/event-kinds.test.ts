/** Events of every kind on NATS: their subjects, headers and payloads, and the same bytes whenever they are published. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';

import {
  ChargeAmended,
  ChargeCreated,
  ChargeRepriced,
  ChargeVoided,
} from '../../generated/charge/v1/event.ts';
import type { ChargeEvent } from '../../src/charges/charge-event.ts';
import { decodeCommittedEvents, encodeCommittedEvents } from '../../src/relay/committed-events.ts';
import { type EventFormat, eventMessage } from '../../src/relay/event-message.ts';
import { createRelay } from '../../src/relay/open-relay.ts';
import type { Relay } from '../../src/relay/relay.ts';
import { readUnpublished } from '../../src/relay/store/relay-state.ts';
import { reprice } from '../charges/support/corrections.ts';
import { silentRelayEvents } from '../clients/support/relay-events.ts';
import { startTestNats, type TestNats } from '../support/nats.ts';
import { readStream } from '../support/stream.ts';
import { ADMINISTRATOR, chargeRequest, openTestStore, type TestStore } from '../support/store.ts';
import { waitFor } from '../support/wait-for.ts';

const TENANT = 'default';
const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

let store: TestStore;
let nats: TestNats;
beforeEach(async () => {
  [store, nats] = await Promise.all([openTestStore(), startTestNats()]);
});
afterEach(() => Promise.all([store.close(), nats.stop()]));

function startRelay(eventFormat: EventFormat): Relay {
  const config = { eventFormat, eventMaxAgeMs: 3_600_000, streamReplicas: 1 };
  const relay = createRelay(config, store.everyTenant.em, nats.url, silentRelayEvents);
  relay.start();
  return relay;
}

const drained = () =>
  waitFor('the backlog to be empty', async () => (await readUnpublished(store.everyTenant.em)).waiting === 0);

/** A charge that is created, repriced, amended, and whose replacement is voided. Returns what was told after COMMIT. */
async function everyKind(): Promise<ChargeEvent[]> {
  const told: ChargeEvent[] = [];
  const hear = (events: readonly ChargeEvent[]): void => void told.push(...events);
  // In an order that neither JSON objects nor jsonb keep.
  const labels = new Map([
    ['zebra', '1'],
    ['10', '2'],
    ['9', '3'],
    ['ä', '4'],
    ['team', '5'],
  ]);
  const quantities = new Map([
    [26, 3n],
    [20, 1n],
  ]);
  const request = chargeRequest('original', { labels, quantities });
  const [result] = await store.anotherWriter({}, hear).record(TENANT, [request]);
  if (result?.outcome !== 'created') throw new Error('no charge');
  await reprice(store.owner.pool, result.charge.id, 5n);
  const corrector = store.anotherCorrector(hear);
  const base = { reason: 'ein Grund, weil … 😀', allowClosedPeriod: false };
  const amendment = {
    ...base,
    kind: 'amend',
    key: { id: result.charge.id },
    requestId: 'replacement',
    content: { ...request.content, userProfile: 'bob', model: 'another' },
  } as const;
  await corrector.amendCharge(TENANT, amendment, ADMINISTRATOR);
  const key = { requestId: 'replacement' };
  const request2 = { ...base, kind: 'void', key, requestId: 'v', traceparent: TRACEPARENT } as const;
  await corrector.voidCharge(TENANT, request2, ADMINISTRATOR);
  return told;
}

test.each(['protobuf', 'json'] as const)(
  'are published in one sequence as %s, and the same again',
  async (format) => {
    const told = await everyKind();
    const first = startRelay(format);
    await drained();
    await first.stop();
    const published = await readStream(nats.url);
    const types = [
      ['created', ChargeCreated],
      ['repriced', ChargeRepriced],
      ['amended', ChargeAmended],
      ['voided', ChargeVoided],
    ] as const;
    const decoded = published.map(({ payload }, index) => {
      const type = types[index]?.[1] ?? ChargeCreated;
      return format === 'protobuf'
        ? type.decode(payload)
        : type.fromJSON(JSON.parse(Buffer.from(payload).toString()));
    });
    for (const [index, [kind, type]] of types.entries()) {
      const message = published[index];
      const event = decoded[index];
      const name = `charge.v1.${type === ChargeCreated ? 'ChargeCreated' : `Charge${kind[0]?.toUpperCase()}${kind.slice(1)}`}`;
      expect(message?.subject).toBe(`charge.${kind}`);
      expect(event).toMatchObject({ sequence: BigInt(index + 1), tenant: TENANT });
      expect(message?.headers).toMatchObject({
        'ce-id': event?.eventId,
        'Nats-Msg-Id': event?.eventId,
        'ce-type': name,
        'ce-dataschema': `https://type.googleapis.com/${name}`,
        'ce-sequence': String(index + 1),
      });
    }
    const [created, repriced, amended, voided] = decoded as [
      ChargeCreated,
      ChargeRepriced,
      ChargeAmended,
      ChargeVoided,
    ];
    expect(created.charge).toMatchObject({ state: 1, cost: { status: 2, revision: 0 } });
    expect(repriced).toMatchObject({
      charge: { cost: { revision: 1 } },
      previousCost: { status: 2, revision: 0 },
    });
    expect(amended.original).toMatchObject({
      id: created.charge?.id,
      state: 3,
      replacedBy: amended.charge?.id,
    });
    expect(amended.charge).toMatchObject({ userProfile: 'bob', state: 1, amends: created.charge?.id });
    expect(voided.charge).toMatchObject({ id: amended.charge?.id, state: 2 });
    expect(voided.correction).toMatchObject({
      id: voided.eventId,
      sequence: 4n,
      reason: 'ein Grund, weil … 😀',
    });
    // What the event happened to: the amended charge, not its replacement.
    const subjects = published.map(({ headers }) => headers['ce-subject']);
    expect(subjects).toEqual([
      created.charge?.id,
      created.charge?.id,
      created.charge?.id,
      amended.charge?.id,
    ]);
    expect(published[3]?.headers['traceparent']).toBe(TRACEPARENT);

    // What the process that wrote them told the relay has the same bytes.
    for (const event of told) {
      const inMemory = eventMessage(event, format);
      expect(Buffer.from(inMemory.payload)).toEqual(
        Buffer.from(published[Number(event.sequence) - 1]?.payload ?? []),
      );
      const [decodedAgain] = decodeCommittedEvents(encodeCommittedEvents([event], format)).messages;
      expect({ ...decodedAgain, payload: undefined }).toEqual({ ...inMemory, payload: undefined });
    }
    expect(told.map(({ kind }) => kind)).toEqual(['created', 'amended', 'voided']);

    // And so has everything that is published again, years later.
    const connection = await connect({ servers: nats.url });
    await (await jetstreamManager(connection)).streams.delete('CHARGES');
    await connection.close();
    await store.owner.pool.query('UPDATE relay_cursor SET published_sequence = 0');
    const second = startRelay(format);
    await drained();
    await second.stop();
    const again = await readStream(nats.url);
    expect(again.map(({ subject, payload }) => [subject, Buffer.from(payload)])).toEqual(
      published.map(({ subject, payload }) => [subject, Buffer.from(payload)]),
    );
    expect(again.map(({ headers }) => ({ ...headers, ...NOT_OURS }))).toEqual(
      published.map(({ headers }) => ({ ...headers, ...NOT_OURS })),
    );
  },
);

/** Headers that tell the broker after which message of the stream it stores this one. */
const NOT_OURS = {
  'Nats-Expected-Last-Sequence': '',
  'Nats-Expected-Stream': '',
  'Nats-Expected-Last-Msg-Id': '',
};

test('a relay that takes over after a correction does not publish it again', async () => {
  await everyKind();
  const first = startRelay('protobuf');
  await drained();
  await first.stop();
  // As if the process had died between the broker's acknowledgement and the cursor.
  await store.owner.pool.query('UPDATE relay_cursor SET published_sequence = 1');
  const second = startRelay('protobuf');
  await drained();
  await second.stop();
  const sequences = (await readStream(nats.url)).map(({ headers }) => headers['ce-sequence']);
  expect(sequences).toEqual(['1', '2', '3', '4']);
});
