/** docs/asyncapi.yaml says what is really published. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

import { ChargeCreated } from '../../generated/charge/v1/event.ts';
import { configFromEnv } from '../../src/config.ts';
import type { ChargeContent } from '../../src/charges/charge.ts';
import { createRelay } from '../../src/relay/open-relay.ts';
import type { Relay } from '../../src/relay/relay.ts';
import { startTestNats, type TestNats } from '../support/nats.ts';
import { chargeRequest, openTestStore, type TestStore } from '../support/store.ts';
import { readStream, type StreamMessage } from '../support/stream.ts';
import { ROOT } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';
import { resolve, type Schema, violations } from './support/json-schema.ts';
import { silentRelayEvents } from './support/relay-events.ts';

interface Message {
  readonly contentType: string;
  readonly headers: Schema;
  readonly payload: Schema & { readonly schema?: string };
}

interface Document {
  readonly asyncapi: string;
  readonly channels: {
    readonly chargeCreated: {
      readonly address: string;
      readonly messages: Readonly<Record<'protobuf' | 'json', { $ref: string }>>;
      readonly 'x-jetstream': Readonly<Record<string, unknown>>;
    };
  };
}

const document = parse(readFileSync(join(ROOT, 'docs/asyncapi.yaml'), 'utf8')) as Document;
const channel = document.channels.chargeCreated;
const messageOf = (format: 'protobuf' | 'json'): Message =>
  resolve(document, channel.messages[format].$ref) as Message;
const schemaOf = (schema: Schema): Schema =>
  schema.$ref === undefined ? schema : (resolve(document, schema.$ref) as Schema);

const DAY_MS = 24 * 60 * 60 * 1000;
/** A name that a header cannot carry as it is. */
const TENANT = 'büro / süd';
const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

/** Every field is there. */
const FULL: Partial<ChargeContent> = {
  sessionKey: 's-1',
  provider: 100,
  otherProvider: 'someone',
  tokenDetails: {
    cacheReadTokens: 1n,
    cacheWrite5mTokens: 2n,
    cacheWrite1hTokens: 3n,
    reasoningTokens: 4n,
    audioInputTokens: 5n,
    audioOutputTokens: 6n,
    imageInputTokens: 6n,
    imageOutputTokens: 6n,
  },
  reference: 'inv-1',
  labels: new Map([['team', 'a']]),
  usageTimeMicros: 1_767_225_600_000_001n,
};
/** Everything that may be absent is. */
const BARE: Partial<ChargeContent> = {
  chargeType: 3,
  promptTokens: 0n,
  completionTokens: 0n,
  totalTokens: 0n,
  model: '',
};

let store: TestStore;
let nats: TestNats;
let relay: Relay;

beforeEach(async () => {
  [store, nats] = await Promise.all([openTestStore(), startTestNats()]);
});
afterEach(async () => {
  await relay.stop();
  await Promise.all([store.close(), nats.stop()]);
});

/** Publishes a full and a bare charge with the settings that the service has by default. */
async function publish(env: Record<string, string>): Promise<StreamMessage[]> {
  relay = createRelay(configFromEnv(env), store.database.em, nats.url, silentRelayEvents);
  relay.start();
  await store.database.pool.query('INSERT INTO journal_head VALUES ($1, 0)', [TENANT]);
  await store.writer.record(TENANT, [
    { ...chargeRequest('full', FULL), traceparent: TRACEPARENT },
    chargeRequest('bare', BARE),
  ]);
  // Not `drain`, which is over at once while the relay has not begun to lead.
  return waitFor('both events', async () => {
    const messages = await readStream(nats.url);
    return messages.length === 2 ? messages : undefined;
  });
}

describe.each(['protobuf', 'json'] as const)('the documented %s message', (format) => {
  let published: StreamMessage[];
  let events: ChargeCreated[];
  beforeEach(async () => {
    published = await publish({ EVENT_FORMAT: format });
    events = published.map(({ payload }) =>
      format === 'protobuf'
        ? ChargeCreated.decode(payload)
        : ChargeCreated.fromJSON(JSON.parse(textOf(payload))),
    );
  });

  test('has the headers that are published, no more and no less, and its payload', () => {
    const { headers, contentType } = messageOf(format);
    const documented = schemaOf(headers);
    const names = Object.keys(documented.properties ?? {});
    // Each also has headers for the broker, which say after which message it was to be stored.
    const first = ['Nats-Expected-Last-Sequence', 'Nats-Expected-Stream'];
    const second = 'Nats-Expected-Last-Msg-Id';
    const required = documented.required ?? [];
    expect(names.toSorted()).toEqual([...required, ...first, second].toSorted());
    expect(Object.keys(published[0]?.headers ?? {}).toSorted()).toEqual([...required, ...first].toSorted());
    expect(Object.keys(published[1]?.headers ?? {}).toSorted()).toEqual([...required, second].toSorted());
    expect(published[1]?.headers[second]).toBe(events[0]?.eventId);
    // A header without a rule would be documented by its name only.
    const ruled = Object.values(documented.properties ?? {}).filter(
      (one) => one.const ?? one.enum ?? one.pattern,
    );
    expect(ruled).toHaveLength(names.length);
    for (const [i, message] of published.entries()) {
      expect(message.subject).toBe(channel.address);
      expect(violations(document, headers, message.headers)).toEqual([]);
      expect(message.headers).toMatchObject({
        'Nats-Msg-Id': events[i]?.eventId,
        'ce-id': events[i]?.eventId,
        'ce-sequence': String(i + 1),
        'ce-subject': events[i]?.charge?.id,
        'ce-source': `/charge.v1.ChargeService/tenants/${encodeURIComponent(TENANT)}`,
        'content-type': contentType,
      });
      expect(events[i]).toMatchObject({ sequence: BigInt(i + 1), tenant: TENANT });
    }
    const own = events[1]?.eventId.replaceAll('-', '') ?? '';
    expect(published.map(({ headers: { traceparent } }) => traceparent)).toEqual([
      TRACEPARENT,
      `00-${own}-${own.slice(16)}-00`,
    ]);
  });

  test('has the payload that is published', () => {
    const { payload } = messageOf(format);
    if (format === 'protobuf') {
      expect(payload.schema).toBe(readFileSync(join(ROOT, 'proto/charge/v1/event.proto'), 'utf8'));
      return;
    }
    const [full, bare] = published.map(
      (message) => JSON.parse(textOf(message.payload)) as { charge: object },
    );
    expect(violations(document, payload, full)).toEqual([]);
    expect(violations(document, payload, bare)).toEqual([]);
    // Nothing is documented that is never sent, and nothing is required that may be absent.
    const charge = schemaOf(schemaOf(payload).properties?.['charge'] ?? {});
    expect(Object.keys(full?.charge ?? {}).toSorted()).toEqual(
      Object.keys(charge.properties ?? {}).toSorted(),
    );
    expect(Object.keys(bare?.charge ?? {}).toSorted()).toEqual(charge.required?.toSorted());
    const details = (full?.charge as { tokenDetails: object }).tokenDetails;
    expect(Object.keys(details)).toEqual(Object.keys(charge.properties?.['tokenDetails']?.properties ?? {}));
  });
});

test('the documented stream is the one that the service makes', async () => {
  await publish({});
  const connection = await connect({ servers: nats.url });
  try {
    const { config } = await (await jetstreamManager(connection)).streams.info('CHARGES');
    expect(channel['x-jetstream']).toEqual({
      stream: config.name,
      subjects: config.subjects,
      storage: config.storage,
      retention: config.retention,
      discard: config.discard,
      replicas: config.num_replicas,
      maxAgeDays: config.max_age / 1e6 / DAY_MS,
      duplicateWindowSeconds: config.duplicate_window / 1e9,
    });
  } finally {
    await connection.close();
  }
});

function textOf(payload: Uint8Array): string {
  return Buffer.from(payload).toString();
}
